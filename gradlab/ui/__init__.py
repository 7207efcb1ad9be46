"""The frame around the pages: shared settings, cached calls, exports. The only part that imports streamlit."""
