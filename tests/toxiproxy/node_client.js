// Toxiproxy's Node client (toxiproxy-node-client) against a server whose API is on the given port: every call that it has,
// and what it does to traffic.
//
// Usage: node node_client.js PORT, with the client in NODE_PATH
const assert = require("node:assert");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const portOf = (proxy) => Number(proxy.listen.split(":").pop());

// What comes back for `text`, and how the connection ended if it did before all of it was there.
function echo(proxy, text) {
  return new Promise((resolve) => {
    const link = net.connect(portOf(proxy), "127.0.0.1", () => link.write(text));
    let received = "";
    let error = null;
    link.on("data", (data) => {
      received += data;
      if (received.length >= text.length) link.destroy();
    });
    link.on("error", (failure) => (error = failure.code));
    link.on("close", () => resolve({ received, error }));
  });
}

async function main() {
  const upstream = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const target = `127.0.0.1:${upstream.address().port}`;
  const server = new Toxiproxy(`http://127.0.0.1:${process.argv[2]}`);

  assert.match(await server.getVersion(), /"version"/);
  const proxy = await server.createProxy({ name: "echo", listen: "127.0.0.1:0", upstream: target });
  assert.ok(proxy.enabled && portOf(proxy) > 0);
  assert.deepStrictEqual(await echo(proxy, "hello"), { received: "hello", error: null });
  await assert.rejects(server.createProxy({ name: "echo", listen: "127.0.0.1:0", upstream: target }), /409/);
  assert.strictEqual((await server.get("echo")).listen, proxy.listen);
  await assert.rejects(server.get("nobody"), /404/);

  const latency = await proxy.addToxic({
    name: "slow", type: "latency", stream: "upstream", toxicity: 1, attributes: { latency: 150, jitter: 0 },
  });
  let begin = process.hrtime.bigint();
  assert.strictEqual((await echo(proxy, "late")).received, "late");
  assert.ok(process.hrtime.bigint() - begin >= 150_000_000n);
  const changed = await latency.update({ attributes: { latency: 1, jitter: 0 } });
  assert.strictEqual(changed.attributes.latency, 1);
  assert.strictEqual((await proxy.getToxic("slow")).attributes.latency, 1);
  await changed.remove();
  await assert.rejects(proxy.getToxic("slow"), /404/);

  const reset = await proxy.addToxic({ name: "rst", type: "reset_peer", stream: "downstream", attributes: { timeout: 0 } });
  assert.deepStrictEqual(await echo(proxy, "x"), { received: "", error: "ECONNRESET" });
  await reset.remove();
  for (const [type, attributes] of [["bandwidth", { rate: 1000 }], ["slow_close", { delay: 1 }],
    ["slicer", { average_size: 2, size_variation: 1, delay: 10 }], ["latency_distribution", { distribution: "pareto", jitter: 1 }]]) {
    const toxic = await proxy.addToxic({ type, stream: "downstream", attributes });
    assert.strictEqual(toxic.name, `${type}_downstream`);
    assert.strictEqual((await echo(proxy, "all of it")).received, "all of it");
    await toxic.remove();
  }

  const down = await proxy.update({ enabled: false, listen: proxy.listen, upstream: target });
  assert.strictEqual(down.enabled, false);
  assert.strictEqual((await echo(proxy, "x")).error, "ECONNREFUSED");
  await server.reset();
  assert.strictEqual((await server.get("echo")).enabled, true);
  assert.strictEqual((await echo(proxy, "back")).received, "back");
  const populated = await server.populate([{ name: "other", listen: "127.0.0.1:0", upstream: target }]);
  assert.deepStrictEqual(Object.keys(populated), ["other"]);
  assert.deepStrictEqual(Object.keys(await server.getAll()).sort(), ["echo", "other"]);
  for (const one of Object.values(await server.getAll())) await one.remove();
  assert.deepStrictEqual(await server.getAll(), {});
  upstream.close();
  console.log("the Node client works: all its calls");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
