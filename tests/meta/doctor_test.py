#!/usr/bin/env python3
"""squall doctor and squall explain from outside: exit codes, formats, secrets, what they leave alone.

Usage: doctor_test.py BIN-FOLDER DOCUMENT [--write]     --write puts the current table of causes into the document
"""
import contextlib
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import xml.etree.ElementTree as ElementTree

BIN, DOCUMENT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
ROUNDS = int(os.environ.get("SQUALL_SECRET_ROUNDS", "12"))
HEALTHY, BROKEN, UNKNOWN, USAGE = 0, 1, 2, 3
FOLDER = tempfile.mkdtemp(prefix="squall-doctor-test-")
# Nothing of the machine's own settings.
CLEAN = {"PATH": os.environ["PATH"], "HOME": FOLDER}
CLEAN |= {name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")}


def doctor(*arguments, expect=None, env=None, program="squall-doctor", stdin=None):
    command = [BIN / "squall", *arguments] if program == "squall" else [BIN / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * SCALE, env=CLEAN | (env or {}), cwd=FOLDER,
                          input=stdin)
    assert expect is None or done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def judged(*arguments, expect, env=None):
    return json.loads(doctor(*arguments, "--json", expect=expect, env=env))


@contextlib.contextmanager
def serving(program, *arguments):
    with subprocess.Popen([BIN / program, "--die-with-parent", *arguments], stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        try:
            yield ready
        finally:
            process.terminate()
            process.wait(60 * SCALE)


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


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
        assert list(result) == ["schema", "verdict", "exit_code", "target", "cause", "findings", "checks", "settings", "milliseconds"]
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


def test_e_rows_by_real_programs():
    certificates = os.path.join(FOLDER, "certificates")
    subprocess.run([BIN / "squall-ingress", "--mint", certificates], check=True, capture_output=True)
    identity = ["--tls-cert", f"{certificates}/server.pem", "--tls-key", f"{certificates}/server.key"]
    trust = ["--tls-ca", f"{certificates}/ca.pem"]
    with serving("squall-server", "--port", "0", "--no-default-namespace") as server:
        upstream = ["--upstream", server["address"], *identity]
        with serving("squall-ingress", *upstream) as right, serving("squall-ingress", *upstream, "--transport", "http1") as http1:
            with serving("squall-ingress", *upstream, "--silent") as silent:
                for row, expected, arguments in (
                    ("E2", "tls.handshake_silent", ["--address", silent["address"], *trust]),
                    ("E3", "tls.alpn_http1", ["--address", http1["address"], *trust]),
                    ("E4", "tcp.wrong_port", ["--address", "127.0.0.1:1", "--tls", "--try-ports", str(right["port"])]),
                    ("E5", "tls.plaintext_to_tls", ["--address", right["address"]]),
                    ("E6", "namespace.missing", ["--address", right["address"], *trust]),
                    ("I5", "tls.unknown_issuer", ["--address", right["address"], "--tls"]),
                ):
                    result = judged(*arguments, expect=BROKEN)
                    assert result["cause"]["id"] == expected, (row, result["cause"])
                    assert result["milliseconds"] < 3000 * SCALE, (row, result["milliseconds"])
    with serving("squall-server", "--port", "0") as server, serving("squall-ingress", "--upstream", server["address"], *identity) as right:
        judged("--address", right["address"], *trust, expect=HEALTHY)  # E10
    gone = write("gone.json", json.dumps({"rules": [{"do": {"http_answer": {"status": 502}}}]}))
    with serving("squall-server", "--port", "0", "--misbehaviour", gone) as server:  # E9
        assert judged("--address", server["address"], expect=BROKEN)["cause"]["id"] == "http.bad_gateway"
    with open(f"{certificates}/client.pem", encoding="utf-8") as file:
        certificate = file.read()
    with open(f"{certificates}/client.key", encoding="utf-8") as file:
        key = file.read()
    for expected, env in (  # A1
        ("settings.certificate_without_key", {"TEMPORAL_TLS_CERT": f"{certificates}/client.pem"}),
        ("settings.key_pair_mismatch", {"TEMPORAL_TLS_CERT": f"{certificates}/client.pem", "TEMPORAL_TLS_KEY": f"{certificates}/server.key"}),
        ("settings.file_unreadable", {"TEMPORAL_TLS_CERT": "/nowhere/client.pem", "TEMPORAL_TLS_KEY": f"{certificates}/client.key"}),
        ("settings.key_in_certificate", {"TEMPORAL_TLS_CLIENT_CERT_DATA": key, "TEMPORAL_TLS_CLIENT_KEY_DATA": key}),
        ("settings.pem_in_api_key", {"TEMPORAL_API_KEY": certificate}),
        ("settings.api_key_without_tls", {"TEMPORAL_API_KEY": "sekret-0123456789", "TEMPORAL_TLS": "false"}),
        ("settings.near_miss_name", {"TEMPORAL_NAMESPCE": "orders"}),
        ("settings.scheme_in_address", {"TEMPORAL_ADDRESS": "http://temporal.example.com:7233"}),
    ):
        result = judged(expect=BROKEN, env={"TEMPORAL_ADDRESS": "temporal.example.com:7233"} | env)
        assert result["cause"]["id"] == expected, (expected, result["cause"])
    old = write("old.env", "TEMPORAL_ADDRESS=temporal:7233\nTEMPORAL_API_KEY=sekret-0123456789\nAPP_SECRET=x\n")  # E7
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
            place = rng.choice(["api key", "near miss", "toml", "env file", "key data", "metadata", "certificate", "file", "elsewhere"])
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
                pieces = [secret[i : i + 8] for i in range(len(secret) - 7)]
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


def test_watching():
    with serving("squall-server", "--port", "0") as server:
        env = CLEAN | {"TEMPORAL_ADDRESS": server["address"], "TEMPORAL_TASK_QUEUE": "orders"}
        with subprocess.Popen([BIN / "squall-doctor", "--watch", "--interval", "0.05", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
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
    begin, end = "<!-- squall-doctor --causes -->\n", "<!-- end of the table -->"
    table = doctor("--causes", expect=0)
    text = DOCUMENT.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    old, closed, after = rest.partition(end)
    assert found and closed, "the marks around the table of causes are missing"
    if sys.argv[3:] == ["--write"]:
        DOCUMENT.write_text(before + begin + table + end + after, encoding="utf-8")
    else:
        assert old == table, f"{DOCUMENT}: the table is not what `squall-doctor --causes` prints; repeat with --write"


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok {name}")
