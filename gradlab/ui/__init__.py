"""The frame around the pages: shared settings, cached calls, exports. The only part of gradlab that imports streamlit."""
