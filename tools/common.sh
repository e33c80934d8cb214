# Sourced by the tools that prove and compare: where things are, and what is fetched for them once. It stays in the user's cache
# folder.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
caches=${SQUALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/squall}
topic=$(basename "$0" .sh)
toxiproxy_version=v2.12.0

say() { printf '[%s] %s\n' "${topic#*-}" "$*"; }

need() { # PROGRAM...
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || { say "$tool is missing: install Go, and Node 20 or newer" >&2; exit 1; }
  done
}

# The TypeScript SDK, grpc-js and tsx, at the versions of harness/subjects/typescript: its folder of modules is in $modules.
typescript_modules() {
  need npm node
  "$root/tools/setup-typescript.sh"
  modules=$caches/subjects/typescript/node_modules
}

# TypeScript beside $modules, compiled, and its workflows.ts bundled, so that it starts at once and leaves no cache behind.
compile_typescript() { # FOLDER
  (cd "$1" && "$modules/.bin/esbuild" ./*.ts --format=cjs --platform=node --outdir=. --supported:dynamic-import=false --log-level=error &&
    node -e 'const { bundleWorkflowCode, DefaultLogger } = require("@temporalio/worker");
      bundleWorkflowCode({ workflowsPath: require.resolve("./workflows.js"), logger: new DefaultLogger("ERROR") })
        .then(({ code }) => require("fs").writeFileSync("workflow-bundle.js", code))')
}

# The folder of Toxiproxy's Go module, which stays where Go keeps its modules.
toxiproxy_module() {
  need go
  mkdir -p "$caches/toxiproxy"
  (cd "$caches/toxiproxy" && go mod download -json "github.com/Shopify/toxiproxy/v2@$toxiproxy_version") |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

end_started() { local pid; for pid in "${started[@]}"; do kill "$pid" 2> /dev/null || true; done; }

# Starts squall's proxy on a free port, which is in $port, its process in $pid.
start_squall_proxy() { # PROGRAM
  local out line
  exec {out}< <(exec "$1" --port 0 --seed 1 2>&1)
  pid=$!
  started+=("$pid")
  IFS= read -r -u "$out" line
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' <<< "$line")
  [ -n "$port" ] || { say "squall's proxy does not start: $line"; exit 1; }
}

# The same for Toxiproxy's server, built from its module.
start_toxiproxy() { # LOG_LEVEL LOG_FILE
  local server=$caches/toxiproxy/toxiproxy-server-$toxiproxy_version
  [ -x "$server" ] || (cd "$(toxiproxy_module)" && go build -o "$server" ./cmd/server)
  # It cannot take port 0; the kernel knows one that is free.
  port=$("$root/.venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  LOG_LEVEL=$1 "$server" -host 127.0.0.1 -port "$port" > "$2" 2>&1 &
  pid=$!
  started+=("$pid")
  curl --silent --retry 50 --retry-connrefused --retry-delay 0 --retry-max-time 20 "http://127.0.0.1:$port/version" > /dev/null
}
started=()
trap end_started EXIT
