"""`dwh approvals`: list, show and decide, through the approvals API."""

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer

from dwh_cli import show
from dwh_cli.connect import load_environment, setting
from dwh_cli.exits import Ended, No, NoServer, Usage

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Decide on RED runs.")
AsJson = Annotated[bool, show.AS_JSON]
As = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who you are, in local mode.")]
Reason = Annotated[str, typer.Option(help="10 to 2,000 characters.")]
TIMEOUT_SECONDS = 15.0


class Api:
    """The approvals API with this user's identity."""

    def __init__(self, user: str | None) -> None:
        load_environment()
        self.url = os.environ.get("DWH_APPROVALS_URL") or "http://127.0.0.1:8080"
        headers = {"Accept": "application/json"}
        token = _token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif setting("DWH_ENVIRONMENT") == "local":
            headers["X-Local-User"] = user or os.environ.get("USER") or "local"
        else:
            raise Usage("DWH_TOKEN or DWH_TOKEN_FILE must hold your token")
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS)

    def get(self, path: str, **query: Any) -> Any:
        """The answer's body."""
        return self._answer("GET", path, params={name: value for name, value in query.items() if value})

    def post(self, path: str, body: Any) -> Any:
        """The answer's body."""
        return self._answer("POST", path, json=body)

    def _answer(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise NoServer(f"the approvals service does not answer at {self.url}: {error}") from None
        if answer.is_success:
            return answer.json()
        raise _refusal(answer, self.url)


@app.command("list")
def list_approvals(
    *,
    status: Annotated[str, typer.Option(help="pending, approved, rejected, expired.")] = "pending",
    job: Annotated[str | None, typer.Option(help="Only this job.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Runs that wait for a decision, or were decided on."""
    found = Api(user).get("/api/v1/approvals", status=status, job_name=job, limit=limit)
    if as_json:
        show.as_json(found)
        return
    show.table(
        ["expires", "job", "run", "attempt", "approval", "quality", "check", "by"],
        [_row(run) for run in found["items"]],
        empty="nothing waits for a decision" if status == "pending" else f"no run is {status}",
    )


@app.command("show")
def show_approval(job: str, run_id: str, *, user: As = None, as_json: AsJson = False) -> None:
    """One run with its checks, its decision and their history."""
    run = Api(user).get(_path(job, run_id))
    if as_json:
        show.as_json(run)
    else:
        show.fields(run)


@app.command()
def approve(
    job: str,
    run_id: str,
    *,
    reason: Reason,
    manifest_sha256: Annotated[str | None, typer.Option(help="Bind to this manifest.")] = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Let the data of a RED run go on."""
    _decide("APPROVED", job, run_id, reason, manifest_sha256, user, as_json=as_json)


@app.command()
def reject(
    job: str,
    run_id: str,
    *,
    reason: Reason,
    manifest_sha256: Annotated[str | None, typer.Option(help="Bind to this manifest.")] = None,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Keep the data of a RED run from going on."""
    _decide("REJECTED", job, run_id, reason, manifest_sha256, user, as_json=as_json)


@app.command()
def bulk(
    file: Annotated[Path, typer.Argument(help="One `JOB RUN_ID` per line; # starts a comment.")],
    *,
    decision: Annotated[str, typer.Option(help="APPROVED or REJECTED.")],
    reason: Reason,
    user: As = None,
) -> None:
    """Decide on up to 100 runs with one reason; each is answered on its own."""
    try:
        lines = [line.split("#")[0].split() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise Usage(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Usage(f"{file}: not UTF-8 text") from None
    items = [{"job_name": line[0], "job_run_id": line[1]} for line in lines if len(line) == 2]  # noqa: PLR2004
    if len(items) != sum(bool(line) for line in lines):
        raise Usage(f"{file}: every line is `JOB RUN_ID`")
    answer = Api(user).post(
        "/api/v1/approvals/bulk", {"decision": decision, "reason": reason, "items": items}
    )
    results = answer.get("items") or answer.get("results") or []
    for item, result in zip(items, results, strict=False):
        typer.echo(f"{item['job_name']} {item['job_run_id']}: {show.plain(result.get('status'))}")
    if any(int(result.get("status", 500)) >= 300 for result in results):  # noqa: PLR2004
        raise typer.Exit(1)


@app.command()
def whoami(*, user: As = None, as_json: AsJson = False) -> None:
    """Who the service takes you for, and what you may do."""
    me = Api(user).get("/api/v1/me")
    if as_json:
        show.as_json(me)
    else:
        show.fields(me)


def _decide(
    decision: str,
    job: str,
    run_id: str,
    reason: str,
    manifest_sha256: str | None,
    user: str | None,
    *,
    as_json: bool,
) -> None:
    api = Api(user)
    run = api.get(_path(job, run_id))
    manifest = run.get("artifacts_manifest") or {}
    if not as_json:
        _show_checks(run)
    body = {
        "decision": decision,
        "reason": reason,
        "source_event_id": run.get("id"),
        "artifacts_manifest_sha256": manifest_sha256 or manifest.get("sha256"),
        "channel": "cli",
    }
    event = api.post(f"{_path(job, run_id)}/decisions", body)
    if as_json:
        show.as_json(event)
        return
    said = "approved" if decision == "APPROVED" else "rejected"
    typer.echo(f"{job} {run_id} is {said} by {show.plain(event.get('decided_by'))}, {event.get('event_id')}")


def _show_checks(run: dict[str, Any]) -> None:
    checks = (run.get("quality") or {}).get("checks") or []
    names = ("name", "status", "value", "threshold", "message")
    show.table(names, [[check.get(name) for name in names] for check in checks], empty="no checks ran")


def _path(job: str, run_id: str) -> str:
    return f"/api/v1/approvals/{quote(job, safe='')}/{quote(run_id, safe='')}"


def _row(run: dict[str, Any]) -> list[object]:
    checks = (run.get("quality") or {}).get("checks") or []
    worst: dict[str, Any] = next((check for check in checks if check.get("status") == "RED"), {})
    return [
        str(run.get("approval_expires_at") or "")[:19],
        *(run.get(name) for name in ("job_name", "job_run_id", "attempt", "approval_status")),
        (run.get("quality") or {}).get("status"),
        f"{worst.get('name')} {worst.get('value')} >= {worst.get('threshold')}" if worst else "",
        run.get("approved_by"),
    ]


def _token() -> str | None:
    path = os.environ.get("DWH_TOKEN_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Usage(f"DWH_TOKEN_FILE: {error.strerror}: {path}") from None
    return os.environ.get("DWH_TOKEN")


def _refusal(answer: httpx.Response, url: str) -> Ended:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    text = show.plain(problem.get("detail") or problem.get("title") or f"{url} answered {answer.status_code}")
    winner = problem.get("winner")
    if winner:
        text += (
            f" (decided: {winner.get('decision')} by {winner.get('decided_by')} at {winner.get('timestamp')})"
        )
    if answer.status_code in {400, 413, 415, 422}:
        return Usage(text)
    return NoServer(text) if answer.status_code >= 500 else No(text)  # noqa: PLR2004 - HTTP's server errors
