"""A session from outside its page's run: whether it is still there, running its page once more; and another page."""

from collections.abc import Callable
from contextvars import ContextVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

ADDRESS = "address of the page left"  # in the session
_BY_ITSELF: ContextVar[bool] = ContextVar("by itself", default=False)


def by_itself(part: Callable[[], None], every: float | None) -> None:
    """Draws a part of a page, and draws it again every so many seconds, alone; once where that is None.

    No fragment may be made within (`is_by_itself`). When a fragment begins anew, Streamlit drops what it has not sent
    of it yet and keeps what is of others: of a fragment within, which then stands in the browser without what comes
    before it, and the page is gone ("Bad delta path index").
    """

    def run() -> None:
        token = _BY_ITSELF.set(every is not None)
        try:
            part()
        finally:
            _BY_ITSELF.reset(token)

    st.fragment(run, run_every=every)()


def is_by_itself() -> bool:
    """Whether what is drawn now is drawn again by itself."""
    return _BY_ITSELF.get()


def session_id() -> str:
    """The session whose page is being run; "" where there is none, as in a notebook."""
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def is_connected(session_id: str) -> bool:
    """Whether somebody has the session's page open, asked from whichever thread; True where there is no server."""
    return not runtime.exists() or runtime.get_instance().is_active_session(session_id)


def run_again(session_id: str) -> None:
    """Runs the page of a session as it stands, from whichever thread; nothing where the session is no more.

    Streamlit has no public name for it: this is what it does when a source file has changed.
    """
    if not runtime.exists():
        return
    info = runtime.get_instance()._session_mgr.get_session_info(session_id)
    if info is not None:
        session = info.session
        session._call_soon_on_event_loop(lambda: session.request_rerun(session._client_state))


def go_to(script: str, **drawn_there: list[str]) -> None:
    """Ends the run and runs another page, by its file, with every setting as it is.

    drawn_there    settings that the other page draws and this one does not, as links have them

    `st.switch_page` empties the address, which it refuses where widgets are bound to it, as all of ours are. So does
    this, and the page that is run writes it again (`arrive`).
    """
    context = get_script_run_ctx()
    if context is None or context.script_requests is None:
        return
    pages = {page["script_path"]: page["page_script_hash"] for page in context.pages_manager.get_pages().values()}
    st.session_state[ADDRESS] = {name: st.query_params.get_all(name) for name in st.query_params} | drawn_there
    context.script_requests.request_rerun(
        RerunData(
            query_string=context.query_string,
            page_script_hash=pages[script],
            cached_message_hashes=context.cached_message_hashes,
            context_info=context.context_info,
        )
    )
    st.empty()  # at the next element the run gives way to the one that was asked for


def arrive() -> None:
    """The address that a page had which `go_to` left, before a widget is bound to it."""
    if address := st.session_state.pop(ADDRESS, None):
        st.query_params.from_dict(address)
