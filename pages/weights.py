import streamlit as st
st.write("hi", st.session_state["settings"])
