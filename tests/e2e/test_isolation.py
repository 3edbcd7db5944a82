"""What the serving process does after it is ready, seen by an audit hook that the test puts into it."""

from __future__ import annotations

import json
import textwrap
import time
import uuid

import pytest

from serving.auth import create_key
from tests.e2e.service_process import private_home, running

FORBIDDEN = ("pickle.find_class", "exec", "compile", "marshal.loads", "subprocess.Popen", "os.system", "socket.connect")
# Python imports `sitecustomize` at its start. A thread arms the hook once the test says so and writes down what it saw.
HOOK = """
import json, os, sys, threading, time
folder, armed, seen = os.environ["AUDIT_FOLDER"], False, []

def hook(event, args):
    if armed and threading.get_ident() != own[0] and event in WATCHED:
        seen.append([event, repr(args)[:300]])

def watch():
    global armed
    own[0] = threading.get_ident()
    while not os.path.exists(folder + "/done"):
        armed = armed or os.path.exists(folder + "/ready")
        time.sleep(0.05)
    with open(folder + "/seen.new", "w") as file:
        json.dump({"armed": armed, "seen": seen, "modules": sorted(sys.modules)}, file)
    os.rename(folder + "/seen.new", folder + "/seen.json")

own, WATCHED = [0], frozenset(%r)
sys.addaudithook(hook)
threading.Thread(target=watch, daemon=True).start()
"""


@pytest.fixture(scope="module")
def audited(shop_home, tmp_path_factory):
    """What a busy service did after it was ready: events and loaded modules."""
    base = tmp_path_factory.mktemp("audit")
    (base / "sitecustomize.py").write_text(textwrap.dedent(HOOK) % ([*FORBIDDEN, "import"],))
    home = private_home(shop_home, base / "home")
    key = create_key(home, "admin", "admin")
    with running(home, key, PYTHONPATH=str(base), AUDIT_FOLDER=str(base)) as server:
        (base / "ready").touch()
        time.sleep(0.3)
        use_everything(server)
        (base / "done").touch()
        until = time.monotonic() + 20
        while not (base / "seen.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
    found = json.loads((base / "seen.json").read_text())
    assert found["armed"]
    return found


def use_everything(server) -> None:
    """Every route, with every kind of answer."""
    for number in range(30):
        answer = server.decide(f"audit-{number}", str(number + 1)).json()
        decision = answer["decision_id"]
        outcome = {"id": str(number), "source": "t", "decision_id": decision, "type": "converted"}
        server.http.post("/v1/outcomes", json=outcome | {"occurred_at": "2018-01-02T16:00:00Z"})
    server.decide("audit-0")
    server.decide(str(uuid.uuid4()), "stranger", context={"cart_value": 3.0}, triggers=[{"journey": "welcome"}])
    server.http.post("/v1/decisions", content=b"{", headers={"Content-Type": "application/json"})
    for path in ("", "/explanation", "/explanation?for=scientist&lang=de", "/explanation?for=customer"):
        assert server.http.get(f"/v1/decisions/{decision}{path}").status_code == 200
    for path in ("/metrics", "/openapi.json", "/readyz", "/livez", f"/ui/decisions/{decision}"):
        assert server.http.get(path).status_code == 200, path
    assert server.http.get("/nowhere").status_code == 404


def test_the_serving_process_knows_neither_mlflow_nor_shap(audited):
    loaded = {name.split(".")[0] for name in audited["modules"]}
    assert "bentoml" in loaded, "the audit looked at the wrong process"
    assert not loaded & {"mlflow", "shap", "matplotlib", "training.registry"}


@pytest.mark.parametrize("event", FORBIDDEN)
def test_after_readiness_nothing_is_unpickled_compiled_started_or_connected(audited, event):
    assert [args for name, args in audited["seen"] if name == event] == []


def test_after_readiness_nothing_is_imported_for_the_first_time(audited):
    assert [args for name, args in audited["seen"] if name == "import"] == []
