"""The guided story: an argument in ten steps, each a picture to move, a sentence that is computed, and a question."""

import streamlit as st

from gradlab.ui.ask import result
from gradlab.ui.parts import following, story

st.html(story.STYLE)
with st.container(key="story"):
    scene = story.choose()
    text, picture = st.columns([2, 3], gap="medium")
    with picture:
        stop = story.control(scene)
        shown = following.of("story")
        shown.figure()
    with text:
        story.heading(scene)
        shown.sentence()
        story.question(scene, result)
        story.walk(scene, stop)
