"""A session from outside its page's run: whether it is still there, and running its page once more."""

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


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
