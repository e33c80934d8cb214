#!/usr/bin/env python3
"""squall doctor and squall explain from outside: exit codes, formats, secrets, what they leave alone.

Usage: doctor_test.py BIN-FOLDER DOCUMENT [--write]     --write puts the current table of causes into the document
"""
import base64
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import threading
import urllib.request
import xml.etree.ElementTree as ElementTree

from doctor_programs import (BIN, BROKEN, CLEAN, FOLDER, HEALTHY, SCALE, UNKNOWN, USAGE, doctor, judged, keep_part, run_all, serving,
                             write)

ROUNDS = int(os.environ.get("SQUALL_SECRET_ROUNDS", "12"))


@contextlib.contextmanager
def echoing():
    """A web server that says back whatever it is told: the worst that can answer somebody with a secret."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                said = connection.recv(65536)
                body = b"<html><title>" + said + b"</title>" + said + b"</html>"
                with contextlib.suppress(OSError):
                    connection.sendall(b"HTTP/1.1 400 " + said[:200] + b"\r\nServer: " + said[:200].replace(b"\r\n", b" ") + b"\r\n\r\n" + body)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_healthy_and_its_formats():
    with serving("squall-server", "--port", "0") as server:
        env = {"TEMPORAL_ADDRESS": server["address"]}
        text = doctor(expect=HEALTHY, env=env)
        assert re.search(r"^  ok +permission +9 calls", text, re.M), text
        assert "healthy in" in text and "\033" not in text
        assert doctor("doctor", expect=HEALTHY, env=env, program="squall").splitlines()[0] == text.splitlines()[0]
        result = judged(expect=HEALTHY, env=env)
        assert list(result) == ["schema", "verdict", "exit_code", "target", "cause", "findings", "checks", "settings", "queue", "milliseconds"]
        assert result["schema"] == "squall-doctor/1" and result["verdict"] == "healthy" and result["cause"] is None
        assert [row["layer"] for row in result["checks"]] == ["settings", "dns", "tcp", "tls", "http2", "grpc", "grpc", "permission",
                                                              "namespace", "task queue"]
        assert set(result["checks"][0]) == {"layer", "name", "state", "detail", "milliseconds"}
        assert result["settings"] == [{"name": "address", "value": server["address"], "source": "TEMPORAL_ADDRESS in the environment"}]
        junit = os.path.join(FOLDER, "doctor.xml")
        doctor("--junit", junit, expect=HEALTHY, env=env)
        suite = ElementTree.parse(junit).getroot().find("testsuite")
        assert suite.get("failures") == "0" and len(suite.findall("testcase")) == 10, ElementTree.tostring(suite)


def test_exit_codes_and_usage():
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        refused = f"127.0.0.1:{taken.getsockname()[1]}"
        result = judged("--address", refused, "--try-ports", "1", expect=BROKEN)
        assert result["cause"]["id"] == "tcp.refused" and result["exit_code"] == BROKEN
        junit = os.path.join(FOLDER, "refused.xml")
        doctor("--address", refused, "--try-ports", "1", "--junit", junit, expect=BROKEN)
        assert ElementTree.parse(junit).find(".//failure").get("type") == "tcp.refused"
    rules = write("denied.json", json.dumps({"rules": [
        {"match": {"method": "DescribeTaskQueue"}, "do": {"status": {"code": "PERMISSION_DENIED", "message": "no"}}}]}))
    with serving("squall-server", "--port", "0", "--misbehaviour", rules) as server:
        # Whether somebody polls cannot be seen: that is neither healthy nor broken.
        result = judged("--address", server["address"], "--task-queue", "q", "--expect-pollers", expect=UNKNOWN)
        assert result["verdict"] == "unknown" and result["cause"]["weight"] == "possible"
    for arguments, text in (
        (["--adress", "x:1"], "unknown option '--adress' (did you mean '--address'?)"),
        (["--stage", "compnent"], "'compnent' is none of config, component, integration, all (did you mean 'component'?)"),
        (["--require", "adress"], "'adress' is no setting (did you mean 'address'?)"),
        (["--alias", "X"], "--alias 'X' is not NAME=SETTING"),
        (["--env-file", "nowhere.env"], "nowhere.env: No such file or directory"),
        (["--diff", "nowhere.env", "nowhere.env"], "nowhere.env: No such file or directory"),
        (["--api-key-variable", "NOWHERE"], "NOWHERE is not set"),
        (["--tls", "--no-tls"], "excludes"),
        (["--sdk", "pyhton/1.35.0"], "'pyhton' is none of core, python, typescript, dotnet, ruby, go, grpc-js (did you mean 'python'?)"),
        (["--sdk", "go/latest"], "'latest' is no version"),
        (["--proxy", "user:secret@proxy:3128"], "--proxy-credentials-variable"),
        (["--proxy-credentials-variable", "NOWHERE"], "NOWHERE is not set"),
        (["--expect-search-attribute", "Amount=Decimal"], "types are Text, Keyword, Int, Double, Bool, Datetime, KeywordList"),
        (["--stage", "component", "--expect-workflow-type", "X"], "needs --stage integration or all"),
        (["--stage", "config", "--deep"], "connects to nothing"),
        (["--hold", "300"], "--hold needs --deep"),
    ):
        assert text in doctor(*arguments, expect=USAGE), (arguments, doctor(*arguments))
    assert "Exit codes" in doctor("--help", expect=0)
    assert "Exit codes" in doctor("doctor", "--help", expect=0, program="squall")
    assert "doctor" in doctor("--help", expect=0, program="squall")
    assert "(did you mean 'doctor'?)" in doctor("docter", expect=2, program="squall")


def test_stages_and_what_connects():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        result = judged("--stage", "config", "--require", "address,namespace", expect=BROKEN, env={"TEMPORAL_ADDRESS": address})
        assert result["cause"]["id"] == "settings.required_missing" and "TEMPORAL_NAMESPACE" in result["cause"]["evidence"]
        judged("--stage", "config", expect=HEALTHY, env={"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "x"})
        # Settings that contradict themselves are refused before anything connects.
        judged(expect=BROKEN, env={"TEMPORAL_ADDRESS": f"https://{address}"})
        listener.setblocking(False)
        try:
            listener.accept()
            raise AssertionError("something connected")
        except BlockingIOError:
            pass
    with serving("squall-server", "--port", "0") as server:
        env = {"TEMPORAL_ADDRESS": server["address"], "TEMPORAL_TASK_QUEUE": "orders"}
        judged("--stage", "component", expect=HEALTHY, env=env)
        result = judged("--stage", "integration", expect=BROKEN, env=env)
        assert result["cause"]["id"] == "queue.no_poller"


def test_it_leaves_the_target_alone():
    journal = os.path.join(FOLDER, "server.jsonl")
    with serving("squall-server", "--port", "0", "--journal", journal) as server:
        judged("--address", server["address"], "--task-queue", "orders", expect=HEALTHY)
    with open(journal, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    text = json.dumps(events)
    methods = {event.get("method") for event in events if event.get("method")}
    assert "PollWorkflowTaskQueue" in methods and "RespondWorkflowTaskCompleted" in methods, methods
    changing = {m for m in methods if re.match(r"(Start|Signal|Terminate|Delete|Update|Create|Register|Reset|Request|Pause|Patch|Set|Add)", m)}
    assert not changing, changing
    polled = {event["task_queue"] for event in events if (event.get("method") or "").startswith("Poll") and event.get("task_queue")}
    assert polled and all(queue.startswith("squall-doctor-") for queue in polled), polled
    assert "workflow_started" not in text


def test_diff():
    old = write("old.env", "TEMPORAL_ADDRESS=temporal:7233\nTEMPORAL_API_KEY=sekret-0123456789\nAPP_SECRET=x\n")
    new = write("new.env", "TEMPORAL_ADDRESS=temporal:7233\n")
    result = judged("--diff", old, new, expect=BROKEN)
    assert [finding["id"] for finding in result["findings"]] == ["settings.lost_by_deploy"] * 2, result
    assert "TEMPORAL_API_KEY" in result["cause"]["evidence"] and "sekret" not in json.dumps(result)
    judged("--diff", old, old, expect=HEALTHY)


def test_secrets_are_never_shown():
    seed = int(os.environ.get("SQUALL_SEED", "2026"))
    rng = random.Random(seed)
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    with echoing() as port, serving("squall-server", "--port", "0") as server:
        for round_number in range(ROUNDS):
            secret = "".join(rng.choice(alphabet) for _ in range(rng.randrange(20, 60)))
            encoded = ""
            place = rng.choice(["api key", "near miss", "toml", "env file", "key data", "metadata", "certificate", "file", "elsewhere", "proxy"])
            env = {"TEMPORAL_ADDRESS": rng.choice([server["address"], f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"]),
                   "TEMPORAL_TLS": rng.choice(["true", "false"])}
            arguments = []
            shape = rng.choice(["{}", "Bearer {}", '"{}"', "{}\n", "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"])
            value = shape.format(secret)
            if place == "api key":
                env["TEMPORAL_API_KEY"] = value
            elif place == "near miss":
                env["TEMPORAL_API_KYE"] = value
            elif place == "toml":
                env["TEMPORAL_CONFIG_FILE"] = write("temporal.toml", f"[profile.default]\napi_key = '''{value}'''\n" + rng.choice(["", "x ="]))
            elif place == "env file":
                arguments += ["--env-file", write("secret.env", f"TEMPORAL_API_KEY='{value}'" + rng.choice(["", "\nnot a line"]))]
            elif place == "key data":
                env |= {"TEMPORAL_TLS_CLIENT_KEY_DATA": value, "TEMPORAL_TLS_CLIENT_CERT_DATA": "x"}
            elif place == "metadata":
                env["TEMPORAL_GRPC_META_AUTHORIZATION"] = value.strip()
            elif place == "certificate":
                env["TEMPORAL_TLS_CERT"] = value
            elif place == "proxy":  # which says back what it is told as well
                login = f"worker:{secret}"
                env["NO_PROXY"] = ""
                if rng.random() < 0.5:
                    env["PROXY_LOGIN"] = login
                    arguments += ["--proxy", f"127.0.0.1:{port}", "--proxy-credentials-variable", "PROXY_LOGIN"]
                else:
                    env["https_proxy"] = env["HTTPS_PROXY"] = rng.choice(["http://{}@127.0.0.1:{}", "{}@127.0.0.1:{}", "http://{}@no host:{}"]).format(login, port)
                    arguments += ["--sdk", rng.choice(["go", "grpc-js", "python"])]
                encoded = base64.b64encode(login.encode()).decode()
            elif place == "elsewhere":  # pasted into the wrong variable
                env[rng.choice(["TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_TASK_QUEUE", "TEMPORAL_TLS_SERVER_NAME", "TEMPORAL_TLS",
                                "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"])] = value
            else:
                arguments += ["--api-key-file", write("key.txt", value)]
            junit = os.path.join(FOLDER, "secret.xml")
            for output in ([], ["--json"], ["--settings", "--junit", junit]):
                shown = doctor(*arguments, *output, env=env)
                if "--junit" in output and os.path.exists(junit):
                    with open(junit, encoding="utf-8") as file:
                        shown += file.read()
                pieces = [text[i : i + 8] for text in (secret, encoded) for i in range(len(text) - 7)]
                leaked = [piece for piece in pieces if piece in shown]
                assert not leaked, f"seed {seed}, round {round_number}, {place}: {leaked[0]} is shown\n{shown}"
    # What a command line holds can be seen by everybody.
    text = doctor("--api-key", "sekret-0123456789", expect=USAGE)
    assert "--api-key-variable" in text and "sekret" not in text


def test_explain():
    text = doctor("explain", "transport error: BrokenPipe", expect=HEALTHY, program="squall")
    assert text.startswith("1. The server speaks TLS, and the client does not (tls.plaintext_to_tls)"), text
    assert "(http.bad_gateway)" in doctor("explain", "-", stdin="invalid compression flag: 60\n", expect=HEALTHY).splitlines()[0]
    assert json.loads(doctor("explain", "--json", "x509: certificate signed by unknown authority", expect=HEALTHY))["causes"][0]["id"] == "tls.unknown_issuer"
    assert "Nothing is known" in doctor("explain", "all is well", expect=UNKNOWN)


def test_no_core_and_no_secret_in_the_process_list():
    """While it waits for a silent peer: what others may see of it, and what it leaves when it is killed by a fault."""
    def with_cores():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

    folder = os.path.join(FOLDER, "cores")
    os.mkdir(folder)
    control = subprocess.Popen(["sleep", "60"], cwd=folder, preexec_fn=with_cores)
    control.send_signal(signal.SIGABRT)
    would_dump = os.WCOREDUMP(os.waitpid(control.pid, 0)[1])
    secret = "sekret-0123456789-abcdef"
    with socket.create_server(("127.0.0.1", 0)) as hole:
        env = CLEAN | {"TEMPORAL_ADDRESS": f"127.0.0.1:{hole.getsockname()[1]}", "TEMPORAL_TLS": "false", "TEMPORAL_API_KEY": secret,
                       "PROXY_LOGIN": f"worker:{secret}"}
        process = subprocess.Popen([BIN / "squall-doctor", "--proxy-credentials-variable", "PROXY_LOGIN"], env=env, cwd=folder,
                                   stdout=subprocess.DEVNULL, preexec_fn=with_cores)
        held = hole.accept()[0]  # it is in the middle of its work
        with open(f"/proc/{process.pid}/cmdline", encoding="utf-8") as file:
            assert secret not in file.read()
        with open(f"/proc/{process.pid}/limits", encoding="utf-8") as file:
            assert re.search(r"^Max core file size +0 +0 ", file.read(), re.M)
        process.send_signal(signal.SIGABRT)
        status = os.waitpid(process.pid, 0)[1]
        process.returncode = control.returncode = 0  # waited for
        held.close()
        assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status), status
    left = [name for name in os.listdir(folder) if name.startswith("core")]
    assert not would_dump or len(left) <= 1, left  # the control's own


def has_ipv6():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def test_watching():
    with serving("squall-server", "--port", "0") as server:
        env = CLEAN | {"TEMPORAL_ADDRESS": server["address"], "TEMPORAL_TASK_QUEUE": "orders"}
        with subprocess.Popen([BIN / "squall-doctor", "--watch", "--interval", "0.05", "--listen", "[::1]:0" if socket.has_ipv6 and has_ipv6() else "127.0.0.1:0"], stdout=subprocess.PIPE,
                              text=True, env=env) as process:
            where = process.stdout.readline().split()[-1]
            assert " healthy: 0 workflow and 0 activity pollers, 0 tasks wait" in process.stdout.readline()
            with urllib.request.urlopen(where + "metrics", timeout=60 * SCALE) as reply:
                assert "squall_doctor_healthy 1\n" in reply.read().decode()
            with urllib.request.urlopen(where, timeout=60 * SCALE) as reply:
                assert "<h1>healthy</h1>" in reply.read().decode()
            server_gone = process.stdout
            subprocess.run(["kill", str(server["pid"])], check=True)
            assert " broken: " in server_gone.readline()
            process.terminate()
            assert process.wait(60 * SCALE) == BROKEN
    assert "--watch goes without --deep and --canary" in doctor("--watch", "--deep", expect=USAGE)


def test_a_program_of_its_own():
    libraries = subprocess.run(["ldd", BIN / "squall-doctor"], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"grpc|squall_bridge", libraries), libraries


def test_the_document_has_the_causes():
    keep_part("<!-- squall-doctor --causes -->\n", "<!-- end of the table -->", doctor("--causes", expect=0))


run_all(dict(globals()))
