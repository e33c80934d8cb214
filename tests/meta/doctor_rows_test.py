#!/usr/bin/env python3
"""The incidents that are misconfigurations, each played with real programs: squall doctor names the cause.

Usage: doctor_rows_test.py BIN-FOLDER DOCUMENT [--write]     --write puts the table of rows and causes into the document
"""
import contextlib
import json
import os
import socket
import subprocess

from doctor_programs import BIN, BROKEN, FOLDER, HEALTHY, SCALE, judged, keep_part, run_all, serving, write

C = os.path.join(FOLDER, "certificates")
subprocess.run([BIN / "squall-ingress", "--mint", C], check=True, capture_output=True)
TRUST = ["--tls-ca", f"{C}/ca.pem"]
TABLE = []


def pair(name):
    return ["--tls-cert", f"{C}/{name}.pem", "--tls-key", f"{C}/{name}.key"]


def text_of(name):
    with open(f"{C}/{name}", encoding="utf-8") as file:
        return file.read()


def row(incident, what, cause, *arguments, env=None, within=3):
    result = judged(*arguments, expect=BROKEN, env=env)
    assert result["cause"]["id"] == cause, (incident, what, result["cause"])
    assert result["milliseconds"] < within * 1000 * SCALE, (incident, what, result["milliseconds"])
    assert result["cause"]["fix"] and result["cause"]["evidence"], result["cause"]
    TABLE.append(f"| {incident} | {what} | `{cause}` |\n")
    return result


def test_e1_the_container_ran_something_else():
    with serving("squall-server", "--port", "0") as server:
        row("E1", "the worker's container runs another program: its health page is green, nobody polls", "queue.no_poller",
            "--address", server["address"], "--task-queue", "orders", "--stage", "integration")


def test_e2_to_e6_and_e9_ingresses():
    with serving("squall-server", "--port", "0", "--no-default-namespace") as server:
        upstream = ["--upstream", server["address"], *pair("server")]
        with serving("squall-ingress", *upstream) as right, serving("squall-ingress", *upstream, "--silent") as silent:
            row("E2", "an internal-only ingress accepts and is silent, TLS", "tls.handshake_silent", "--address", silent["address"], *TRUST)
            row("E2", "an internal-only ingress accepts and is silent, plaintext", "tcp.peer_silent", "--address", silent["address"])
            row("E4", "port 7233 refuses, the ingress listens on another", "tcp.wrong_port",
                "--address", "127.0.0.1:1", "--tls", "--try-ports", str(right["port"]))
            with socket.socket() as full:  # a backlog that is full: packets to it are dropped
                full.bind(("127.0.0.1", 0))
                full.listen(0)
                where = full.getsockname()
                with contextlib.ExitStack() as stack:
                    for _ in range(4):
                        filler = stack.enter_context(socket.socket())
                        filler.setblocking(False)
                        filler.connect_ex(where)
                    row("E4", "port 7233 is a black hole, the ingress listens on another", "tcp.wrong_port",
                        "--address", f"127.0.0.1:{where[1]}", "--tls", "--try-ports", str(right["port"]))
            row("E5", "TLS is not switched on in the client", "tls.plaintext_to_tls", "--address", right["address"])
            row("E6", "the server came up without the namespace", "namespace.missing", "--address", right["address"], *TRUST)
        for transport, cause in (("http1", "tls.alpn_http1"), ("http1-behind-h2", "http.http1")):
            with serving("squall-ingress", *upstream, "--transport", transport) as http1:
                row("E3", f"the ingress's transport is {transport}", cause, "--address", http1["address"], *TRUST)
    for status in (502, 503):
        gone = write("gone.json", json.dumps({"rules": [{"do": {"http_answer": {"status": status}}}]}))
        with serving("squall-server", "--port", "0", "--misbehaviour", gone) as server:
            row("E9", f"the load balancer has lost its server: HTTP {status}", "http.bad_gateway", "--address", server["address"])


def test_e7_settings_that_a_deploy_lost():
    row("E7", "the API key is missing in the new revision", "settings.required_missing", "--stage", "config",
        "--require", "address,api-key", env={"TEMPORAL_ADDRESS": "temporal.example.com:7233"})
    old = write("old.env", "TEMPORAL_ADDRESS=temporal:7233\nTEMPORAL_API_KEY=sekret-0123456789\n")
    new = write("new.env", "TEMPORAL_ADDRESS=temporal:7233\n")
    row("E7", "`--diff`: the new revision has lost a setting", "settings.lost_by_deploy", "--diff", old, new)
    keys = write("keys.txt", "right-key-0123456789\n")
    with serving("squall-server", "--port", "0", "--api-key-file", keys) as server:
        row("E7", "the server demands an API key, and none is set", "auth.api_key_missing", "--address", server["address"])


def test_e10_the_control():
    with serving("squall-server", "--port", "0") as server, serving("squall-ingress", "--upstream", server["address"],
                                                                     *pair("server")) as right:
        assert judged("--address", right["address"], *TRUST, expect=HEALTHY)["cause"] is None


def test_i4_layers_in_their_order():
    # Everything is wrong at once; each stage stops at its own first cause.
    env = {"TEMPORAL_ADDRESS": "https://127.0.0.1:1"}
    assert judged("--stage", "config", expect=BROKEN, env=env)["cause"]["layer"] == "settings"
    env = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    judged("--stage", "config", expect=HEALTHY, env=env)
    assert judged("--stage", "component", "--try-ports", "2", expect=BROKEN, env=env)["cause"]["layer"] == "tcp"
    with serving("squall-server", "--port", "0") as server:
        env = {"TEMPORAL_ADDRESS": server["address"], "TEMPORAL_TASK_QUEUE": "orders"}
        judged("--stage", "component", expect=HEALTHY, env=env)
        assert judged("--stage", "integration", expect=BROKEN, env=env)["cause"]["layer"] == "task queue"


def test_i5_the_catalogue_of_credentials():
    with serving("squall-server", "--port", "0") as server:
        upstream = ["--upstream", server["address"]]
        for name, what, cause in (
            ("expired", "the server's certificate has expired", "tls.certificate_expired"),
            ("not_yet", "the server's certificate is not valid yet", "tls.certificate_not_yet_valid"),
            ("wrong_ca", "the server's certificate is of an unknown authority", "tls.unknown_issuer"),
            ("wrong_name", "the server's certificate is for another name", "tls.wrong_name"),
        ):
            with serving("squall-ingress", *upstream, *pair(name)) as bad:
                row("I5", what, cause, "--address", f"localhost:{bad['port']}", *TRUST)
        with serving("squall-ingress", *upstream, *pair("no_ip")) as bad:
            row("I5", "the server's certificate has no address, and one is connected to", "tls.address_not_in_certificate",
                "--address", bad["address"], *TRUST)
        with serving("squall-ingress", *upstream, *pair("server"), "--client-ca", f"{C}/ca.pem") as mtls:
            row("I5", "a client certificate is demanded, none is set", "tls.client_certificate_missing", "--address", mtls["address"], *TRUST)
            row("I5", "the client's certificate is of another authority", "tls.client_certificate_untrusted",
                "--address", mtls["address"], *TRUST, *pair("wrong_ca"))
            row("I5", "the client's certificate is not made for clients", "tls.client_certificate_unsuitable",
                "--address", mtls["address"], *TRUST, *pair("no_client_auth"))
            row("I5", "the client's certificate has expired", "settings.client_certificate_expired",
                "--address", mtls["address"], *TRUST, *pair("expired"))
            row("I5", "the client's certificate is not valid yet", "settings.client_certificate_not_yet_valid",
                "--address", mtls["address"], *TRUST, *pair("not_yet"))
            judged("--address", mtls["address"], *TRUST, *pair("client"), expect=HEALTHY)
    keys = write("scoped.txt", "right-key-0123456789\nother-key-0123456789 namespace=billing\nread-key-0123456789 rpc=Get*,Describe*,List*\n")
    with serving("squall-server", "--port", "0", "--api-key-file", keys) as server:
        for key, what, cause in (
            ("wrong-key-0123456789", "the API key is not known", "auth.api_key_refused"),
            ("other-key-0123456789", "the API key is another namespace's", "auth.wrong_namespace"),
            ("read-key-0123456789", "the API key may only read", "auth.permission_rpc"),
        ):
            row("I5", what, cause, "--address", server["address"], "--no-tls", env={"TEMPORAL_API_KEY": key})


def test_a1_combinations_of_settings():
    for what, cause, env in (
        ("`_TLS_CERT` without `_TLS_KEY`", "settings.certificate_without_key", {"TEMPORAL_TLS_CERT": f"{C}/client.pem"}),
        ("`_TLS_KEY` without `_TLS_CERT`", "settings.key_without_certificate", {"TEMPORAL_TLS_KEY": f"{C}/client.key"}),
        ("a key of another certificate", "settings.key_pair_mismatch",
         {"TEMPORAL_TLS_CERT": f"{C}/client.pem", "TEMPORAL_TLS_KEY": f"{C}/server.key"}),
        ("`_TLS_CERT` names no file", "settings.file_unreadable",
         {"TEMPORAL_TLS_CERT": "/nowhere/client.pem", "TEMPORAL_TLS_KEY": f"{C}/client.key"}),
        ("a private key as the certificate", "settings.key_in_certificate",
         {"TEMPORAL_TLS_CLIENT_CERT_DATA": text_of("client.key"), "TEMPORAL_TLS_CLIENT_KEY_DATA": text_of("client.key")}),
        ("a certificate as the private key", "settings.certificate_in_key",
         {"TEMPORAL_TLS_CLIENT_CERT_DATA": text_of("client.pem"), "TEMPORAL_TLS_CLIENT_KEY_DATA": text_of("client.pem")}),
        ("a certificate as the API key", "settings.pem_in_api_key", {"TEMPORAL_API_KEY": text_of("client.pem")}),
        ("the API key with \"Bearer\"", "settings.api_key_form", {"TEMPORAL_API_KEY": "Bearer sekret-0123456789"}),
        ("an API key without TLS", "settings.api_key_without_tls", {"TEMPORAL_API_KEY": "sekret-0123456789", "TEMPORAL_TLS": "false"}),
        ("certificates, and TLS switched off", "settings.tls_contradiction",
         {"TEMPORAL_TLS": "false", "TEMPORAL_TLS_CERT": f"{C}/client.pem", "TEMPORAL_TLS_KEY": f"{C}/client.key"}),
        ("`TEMPORAL_NAMESPCE`", "settings.near_miss_name", {"TEMPORAL_NAMESPCE": "orders"}),
        ("`http://` before the address", "settings.scheme_in_address", {"TEMPORAL_ADDRESS": "http://temporal.example.com:7233"}),
        ("an address without a port", "settings.address_form", {"TEMPORAL_ADDRESS": "temporal.example.com"}),
        ("a line break behind the address", "settings.whitespace_or_quotes", {"TEMPORAL_ADDRESS": "temporal.example.com:7233\n"}),
        ("`${TEMPORAL_API_KEY}`, not expanded", "settings.placeholder", {"TEMPORAL_API_KEY": "${TEMPORAL_API_KEY}"}),
        ("a namespace with a slash", "settings.namespace_form", {"TEMPORAL_NAMESPACE": "orders/eu"}),
        ("Temporal Cloud without credentials", "settings.cloud_without_credentials",
         {"TEMPORAL_ADDRESS": "orders.a1b2c.tmprl.cloud:7233", "TEMPORAL_NAMESPACE": "orders.a1b2c", "TEMPORAL_TLS": "true"}),
        ("a regional address of Temporal Cloud with a client certificate", "settings.cloud_endpoint",
         {"TEMPORAL_ADDRESS": "eu-central-1.aws.api.temporal.io:7233", "TEMPORAL_NAMESPACE": "orders.a1b2c",
          "TEMPORAL_TLS_CERT": f"{C}/client.pem", "TEMPORAL_TLS_KEY": f"{C}/client.key"}),
    ):
        result = row("A1", what, cause, env={"TEMPORAL_ADDRESS": "temporal.example.com:7233"} | env, within=1)
        assert {check["layer"] for check in result["checks"] if check["state"] != "skipped"} == {"settings"}, result
        assert "sekret" not in json.dumps(result)


def test_a3_and_a4():
    with serving("squall-server", "--port", "0") as server:
        worker = ["--address", server["address"], "--task-queue", "foodtruck"]
        with subprocess.Popen([BIN / "squall-worker", *worker], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                for line in process.stdout:
                    if '"polling"' in line:
                        break
                subprocess.run([BIN / "squall-doctor", "--address", server["address"], "--task-queue", "foodtruck", "--canary", "Ping"],
                               capture_output=True, check=False)
                row("A3", "starter and worker write the task queue differently", "queue.near_miss", "--address", server["address"],
                    "--task-queue", "food-truck", "--stage", "integration")
            finally:
                process.terminate()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        row("A4", "nobody listens there", "tcp.refused", "--address", f"127.0.0.1:{taken.getsockname()[1]}", "--try-ports", "1", within=1)


def test_the_document_has_the_rows():
    keep_part("<!-- doctor_rows_test.py -->\n", "<!-- end of the rows -->",
              "| incident | what is wrong | the doctor names |\n|---|---|---|\n" + "".join(TABLE))


run_all(dict(globals()))
