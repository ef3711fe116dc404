"""The page that a browser shows at the server's address: what this is, that it is ready, where to go on."""

from __future__ import annotations

HTML = b"text/html; charset=utf-8"
FRONT = "/"
POLICY = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
)
"""The page loads nothing and cannot be framed."""

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>OpenPersonalize</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}
pre{{background:#f3f3f3;padding:.8rem;overflow:auto}}</style>
<h1>OpenPersonalize is {state}</h1>
<p>This address speaks the API of Amazon Personalize. Point any AWS client here:</p>
<pre>eval "$(openpersonalize env --port {port})"
aws personalize list-recipes</pre>
<p>{access}</p>
<ul>
<li><a href="health">health</a>: is it well</li>
<li><a href="v1/jobs">v1/jobs</a>: imports, trainings and what else is at work</li>
<li><a href="metrics">metrics</a>: numbers for Prometheus</li>
</ul>
<p>The documentation is in the folder docs of the project: begin with docs/quickstart.md.</p>
</html>
"""

_LOCAL = "It answers programs on this machine and wants no keys."
_GUARDED = (
    "Requests, those for the jobs and metrics below too, must be signed with one of its access keys"
    " (openpersonalize key create)."
)


def front_page(ready: bool, port: int, guarded: bool) -> tuple[int, bytes]:
    """(status, body) of ``GET /``. It says nothing that anybody may not know.

    Args:
        port: that the server listens on.
        guarded: whether there are access keys.
    """
    text = _PAGE.format(
        state="ready" if ready else "starting or stopping", port=port, access=_GUARDED if guarded else _LOCAL
    )
    return (200 if ready else 503), text.encode()
