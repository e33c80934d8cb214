// The stand-alone proxy's API: bodies, defaults, status codes, errors, and what toxics do to
// traffic. The clients of other languages are proven by `make prove-toxiproxy`.
#include "harness/proxy/proxy_api.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "harness/proxy/http_server.h"
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ProxyApiTest : public TcpProxyTest {
 protected:
  ApiReply Call(std::string method, std::string path, std::string body = "",
                std::string user_agent = "test") {
    return api_.Handle({.method = std::move(method),
                        .path = std::move(path),
                        .body = std::move(body),
                        .user_agent = std::move(user_agent)});
  }
  // "201 {...}".
  std::string Say(const std::string& method, const std::string& path,
                  const std::string& body = "") {
    const ApiReply reply = Call(method, path, body);
    return std::to_string(reply.status) + " " + reply.body;
  }
  // A proxy to the echo server; returns its port.
  std::uint16_t Make(const std::string& name, const std::string& more = "") {
    const ApiReply reply =
        Call("POST", "/proxies",
             R"({"name":")" + name + R"(","listen":"localhost:0","upstream":"127.0.0.1:)" +
                 std::to_string(server_.port()) + "\"" + more + "}");
    EXPECT_EQ(reply.status, 201) << reply.body;
    return Port(name);
  }
  std::uint16_t Port(const std::string& name) const {
    return set_.proxies().at(name)->tcp().port();
  }
  std::string Toxic(const std::string& proxy, const std::string& body) {
    return Say("POST", "/proxies/" + proxy + "/toxics", body);
  }

  ProxySet set_{executor_, journal_, 7};
  ProxyApi api_{set_, "2.12.0"};
};

TEST_F(ProxyApiTest, ProxiesAreCreatedShownAndDeleted) {
  EXPECT_EQ(Say("GET", "/proxies"), "200 {}");
  const std::uint16_t port = Make("db");
  const std::string shown = R"({"name":"db","listen":"127.0.0.1:)" + std::to_string(port) +
                            R"(","upstream":"127.0.0.1:)" + std::to_string(server_.port()) +
                            R"(","enabled":true,"toxics":[]})";
  EXPECT_EQ(Say("GET", "/proxies/db"), "200 " + shown);
  EXPECT_EQ(Say("GET", "/proxies"), "200 {\"db\":" + shown + "}");
  EXPECT_EQ(Say("DELETE", "/proxies/db"), "204 ");
  EXPECT_EQ(Say("GET", "/proxies/db"), "404 {\"error\":\"proxy not found\",\"status\":404}\n");
  EXPECT_EQ(Say("DELETE", "/proxies/db"), "404 {\"error\":\"proxy not found\",\"status\":404}\n");
  const auto refused = Peer::Connect(executor_, port);
  AwaitEnd(refused);
  EXPECT_EQ(refused->error, asio::error::connection_refused);
}

TEST_F(ProxyApiTest, WhatIsWrongIsSaidInTheOriginalsWords) {
  const std::uint16_t port = Make("db");
  const std::string taken = "127.0.0.1:" + std::to_string(port);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", R"(400 {"error":"missing required field: name","status":400})"},
      {R"({"name":"a"})", R"(400 {"error":"missing required field: upstream","status":400})"},
      {R"({"name":"db","upstream":"x:1"})", R"(409 {"error":"proxy already exists","status":409})"},
      {R"({"name":"a","upstream":"x:1","listen":")" + taken + "\"}",
       R"(500 {"error":"listen tcp )" + taken + R"(: bind: address already in use","status":500})"},
      {R"({"name":"a","upstream":"x:1","listen":"here"})",
       R"(500 {"error":"listen tcp: address here: missing port in address","status":500})"},
      {"", R"(400 {"error":"bad request body: EOF","status":400})"},
      {R"({"name":"a")", R"(400 {"error":"bad request body: unexpected EOF","status":400})"},
      {"what?",
       R"(400 {"error":"bad request body: invalid character 'w' looking for beginning of value","status":400})"},
      {R"({"name":"a","enabled":"yes"})",
       R"(400 {"error":"bad request body: json: cannot unmarshal string into Go struct field Proxy.enabled of type bool","status":400})"},
  };
  for (const auto& [body, answer] : cases) {
    EXPECT_EQ(Say("POST", "/proxies", body), answer + "\n") << body;
  }
  EXPECT_EQ(Say("GET", "/nowhere"), "404 404 page not found\n");
  EXPECT_EQ(Say("PUT", "/proxies"), "405 ");
  EXPECT_EQ(Call("GET", "/proxies", "", "Mozilla/5.0").status, 403);
  EXPECT_EQ(Say("GET", "/version"), "200 {\"version\": \"2.12.0\"}\n");
}

TEST_F(ProxyApiTest, ToxicsHaveTheirDefaults) {
  Make("db");
  EXPECT_EQ(Toxic("db", R"({"type":"latency"})"),
            R"(200 {"attributes":{"latency":0,"jitter":0},"name":"latency_downstream",)"
            R"("type":"latency","stream":"downstream","toxicity":1})");
  EXPECT_EQ(Toxic("db", R"({"type":"latency","stream":"upstream","toxicity":0.2,)"
                        R"("attributes":{"jitter":10,"unheard_of":1}})"),
            R"(200 {"attributes":{"latency":0,"jitter":10},"name":"latency_upstream",)"
            R"("type":"latency","stream":"upstream","toxicity":0.2})");
  EXPECT_EQ(Toxic("db", R"({"type":"latency"})"),
            "409 {\"error\":\"toxic already exists\",\"status\":409}\n");
  EXPECT_EQ(Toxic("db", R"({"type":"walrus"})"),
            "400 {\"error\":\"invalid toxic type\",\"status\":400}\n");
  EXPECT_EQ(Toxic("db", R"({"type":"latency","stream":"walrustream"})"),
            "400 {\"error\":\"stream was invalid, can be either upstream or "
            "downstream\",\"status\":400}\n");
  EXPECT_EQ(Say("PATCH", "/proxies/db/toxics/latency_upstream", R"({"attributes":{"latency":5}})"),
            R"(200 {"attributes":{"latency":5,"jitter":10},"name":"latency_upstream",)"
            R"("type":"latency","stream":"upstream","toxicity":0.2})");
  EXPECT_THAT(
      Say("GET", "/proxies/db/toxics"),
      StartsWith(R"(200 [{"attributes":{"latency":5,"jitter":10},"name":"latency_upstream")"));
  EXPECT_EQ(Say("DELETE", "/proxies/db/toxics/latency_upstream"), "204 ");
  EXPECT_EQ(Say("DELETE", "/proxies/db/toxics/latency_upstream"),
            "404 {\"error\":\"toxic not found\",\"status\":404}\n");
  EXPECT_EQ(Say("POST", "/reset"), "204 ");
  EXPECT_EQ(Say("GET", "/proxies/db/toxics"), "200 []");
}

TEST_F(ProxyApiTest, BodiesMeetTheTypesOfTheOriginal) {
  Make("db");
  Toxic("db", R"({"type":"slicer","name":"s","toxicity":0.3})");
  const std::string shown = Say("GET", "/proxies/db/toxics/s");
  const auto mismatch = [](const std::string& what) {
    return R"(400 {"error":"bad request body: json: cannot unmarshal )" + what +
           R"(","status":400})";
  };
  for (const auto& [body, what] :
       {std::pair{R"({"type":"latency","attributes":{"jitter":"a","latency":1.5}})",
                  "string into Go struct field LatencyToxic.attributes.jitter of type int64"},
        std::pair{R"({"type":"reset_peer","attributes":{"timeout":1e2}})",
                  "number 1e2 into Go struct field ResetToxic.attributes.timeout of type int64"},
        std::pair{R"({"type":"latency","attributes":[]})",
                  "array into Go struct field ToxicWrapper.attributes of type toxics.NoopToxic"},
        std::pair{R"({"toxicity":"a","type":7})",
                  "string into Go struct field ToxicWrapper.toxicity of type float32"}}) {
    EXPECT_EQ(Toxic("db", body), mismatch(what) + "\n");
  }
  for (const auto& [body, what] :
       {std::pair{R"({"attributes":{"delay":"soon"}})",
                  "string into Go struct field SlicerToxic.attributes.delay of type int"},
        std::pair{R"({"attributes":{"delay":5,"average_size":{}}})",
                  "object into Go struct field SlicerToxic.attributes.average_size of type int"},
        std::pair{R"({"attributes":7})",
                  "number into Go struct field .attributes of type toxics.SlicerToxic"},
        std::pair{R"({"toxicity":"x","attributes":7})",
                  "string into Go struct field .toxicity of type float32"},
        std::pair{
            "[]",
            R"(array into Go value of type struct { Attributes interface {} )"
            R"(\"json:\\\"attributes\\\"\"; Toxicity float32 \"json:\\\"toxicity\\\"\" })"}}) {
    EXPECT_EQ(Say("PATCH", "/proxies/db/toxics/s", body), mismatch(what) + "\n");
  }
  EXPECT_EQ(Say("PATCH", "/proxies/db/toxics/s", "null"), shown) << "nothing has changed";
  EXPECT_EQ(Toxic("db", "null"), "400 {\"error\":\"invalid toxic type\",\"status\":400}\n");
  EXPECT_EQ(Say("POST", "/populate", R"([{"name":1}])"),
            R"(400 {"error":"bad request body: json: cannot unmarshal number into Go struct field )"
            R"(.Proxy.name of type string","status":400,"proxies":null})");
  EXPECT_EQ(Say("POST", "/populate", "null"), R"(201 {"proxies":null})");
  // That a name is taken is said before what is wrong with the attributes.
  EXPECT_THAT(Toxic("db", R"({"type":"latency","name":"s","attributes":{"latency":"x"}})"),
              StartsWith("409 "));
  EXPECT_THAT(Toxic("db", R"({"type":"noop","stream":"UpStream"})"),
              HasSubstr(R"("name":"noop_UpStream","type":"noop","stream":"UpStream")"));
  EXPECT_THAT(Say("GET", "/proxies/db/toxics"),
              StartsWith(R"(200 [{"attributes":{},"name":"noop_)"))
      << "upstream's first";
  EXPECT_THAT(Toxic("db", R"({"type":"noop","stream":""})"), HasSubstr("stream was invalid"));
}

TEST_F(ProxyApiTest, PathsAreThoseOfTheOriginalsRouter) {
  Make("db");
  Toxic("db", R"({"type":"noop","name":"a/b"})");
  EXPECT_EQ(Say("GET", "/proxies/db/toxics/a%2Fb"), "404 404 page not found\n");
  EXPECT_EQ(Say("GET", "/proxies/%zz"), "400 400 Bad Request");
  for (const auto& [path, location] : {std::pair{"//proxies?x=1", "/proxies?x=1"},
                                       std::pair{"/proxies//toxics", "/proxies/toxics"},
                                       std::pair{"/./proxies/a%20b", "/proxies/a%20b"},
                                       std::pair{"/proxies/db/../", "/proxies/"}}) {
    const ApiReply reply = Call("GET", path);
    EXPECT_EQ(reply.status, 301) << path;
    EXPECT_EQ(reply.location, location);
    EXPECT_EQ(reply.content_type + reply.body, "");
  }
}

TEST_F(ProxyApiTest, FurtherTypesTellWhatTheyDoNotKnow) {
  Make("db");
  EXPECT_THAT(Toxic("db", R"({"type":"corrupt","attributes":{"shaer":0.5}})"),
              HasSubstr("corrupt has no attribute 'shaer': it has after, share, most"));
  EXPECT_THAT(Toxic("db", R"({"type":"stall","attributes":{"connections":"0"}})"),
              HasSubstr("numbers count from 1"));
  EXPECT_THAT(Toxic("db", R"({"type":"idle_drop","attributes":{"end":"loud"}})"),
              HasSubstr("end of idle_drop is one of silent, reset, reset_next, not 'loud'"));
  EXPECT_THAT(Toxic("db", R"({"type":"refuse","toxicity":0.5})"), HasSubstr("the kernel answers"));
  EXPECT_THAT(Toxic("db", R"({"type":"half_open","stream":"both"})"), HasSubstr("one side"));
  EXPECT_EQ(Say("GET", "/proxies/db/toxics"), "200 []");
}

TEST_F(ProxyApiTest, EveryTypeCanBeAddedChangedAndRemovedInTraffic) {
  const std::uint16_t port = Make("db");
  for (const ToxicType& type : ToxicTypes()) {
    const auto client = Peer::Connect(executor_, port);
    client->Send("x");
    AwaitText(client, "x");
    const std::string name(type.name);
    const std::string path = "/proxies/db/toxics/" + name + "_downstream";
    EXPECT_THAT(Toxic("db", R"({"type":")" + name + "\"}"), StartsWith("200 ")) << name;
    EXPECT_THAT(Say("PATCH", path, R"({"attributes":{}})"), StartsWith("200 ")) << name;
    client->Send("y");
    Settle();
    EXPECT_EQ(Say("DELETE", path), "204 ") << name;
    client->Close();
    const auto next = Peer::Connect(executor_, port);
    next->Send("healed");
    AwaitText(next, "healed");
    next->Close();
  }
  for (const auto& peer : server_.peers) peer->Close();
  Await([&] { return set_.proxies().at("db")->tcp().counters().open == 0; }, "the ends");
}

TEST_F(ProxyApiTest, ToxicsOfABodyAreInForceBeforeTheListenerOpens) {
  const std::uint16_t port =
      Make("db", R"(,"toxics":[{"type":"corrupt","attributes":{"after":0}},)"
                 R"({"type":"limit_data","stream":"downstream","attributes":{"bytes":3}}])");
  const auto client = Peer::Connect(executor_, port);
  client->Send("abcdef");
  AwaitEnd(client);
  EXPECT_EQ(client->received.size(), 3u);
  EXPECT_NE(client->received[0], 'a');
  EXPECT_EQ(client->error, asio::error::eof);
  // A body with one bad toxic makes no proxy at all.
  EXPECT_EQ(Call("POST", "/proxies",
                 R"({"name":"two","upstream":"x:1","toxics":[{"type":"noop"},{"type":"?"}]})")
                .status,
            400);
  EXPECT_FALSE(set_.proxies().contains("two"));
}

TEST_F(ProxyApiTest, ADisabledProxyTakesToxicsRefusesAndIsEnabledWithThem) {
  Make("db", R"(,"enabled":false)");
  EXPECT_THAT(Say("GET", "/proxies/db"), HasSubstr(R"("listen":"localhost:0")"));
  EXPECT_THAT(Toxic("db", R"({"type":"timeout"})"), StartsWith("200"));
  EXPECT_THAT(Say("POST", "/proxies/db", R"({"enabled":true})"), HasSubstr(R"("enabled":true)"));
  const std::uint16_t port = Port("db");
  const auto client = Peer::Connect(executor_, port);
  client->Send("lost");
  Await([&] { return set_.proxies().at("db")->tcp().hits("timeout_downstream") == 1; },
        "the answer to vanish");
  EXPECT_THAT(Say("PATCH", "/proxies/db", R"({"enabled":false})"), HasSubstr(R"("enabled":false)"));
  AwaitEnd(client);
  const auto refused = Peer::Connect(executor_, port);
  AwaitEnd(refused);
  EXPECT_EQ(refused->error, asio::error::connection_refused);
  EXPECT_EQ(Say("POST", "/reset"), "204 ");
  EXPECT_EQ(Port("db"), port) << "enabled again where it was";
  const auto again = Peer::Connect(executor_, port);
  again->Send("found");
  AwaitText(again, "found");
}

TEST_F(ProxyApiTest, PopulateKeepsWhatIsAsItIsToBe) {
  const std::uint16_t port = Make("one");
  Toxic("one", R"({"type":"noop"})");
  const std::string upstream = "127.0.0.1:" + std::to_string(server_.port());
  const auto entry = [&](const std::string& name, const std::string& listen) {
    return R"({"name":")" + name + R"(","listen":")" + listen + R"(","upstream":")" + upstream +
           "\"}";
  };
  const std::string same = "localhost:" + std::to_string(port);
  const ApiReply reply =
      Call("POST", "/populate", "[" + entry("one", same) + "," + entry("two", "localhost:0") + "]");
  EXPECT_EQ(reply.status, 201);
  const Json body = Json::parse(reply.body);
  EXPECT_EQ(body["proxies"][0]["toxics"].size(), 1u);
  EXPECT_EQ(body["proxies"][1]["name"], "two");
  EXPECT_FALSE(body.contains("error"));
  EXPECT_EQ(Call("POST", "/populate", "[" + entry("one", "localhost:0") + "]").status, 201);
  EXPECT_NE(Port("one"), port);
  EXPECT_EQ(Say("GET", "/proxies/one/toxics"), "200 []") << "replaced, without toxics";
  EXPECT_EQ(
      Say("POST", "/populate", "[" + entry("three", "localhost:0") + R"(,{"name":""}])"),
      R"(400 {"error":"missing required field: name at proxy 2","status":400,"proxies":null})");
  EXPECT_FALSE(set_.proxies().contains("three"));
  EXPECT_EQ(Say("POST", "/populate",
                "[" + entry("three", "localhost:0") + "," + entry("four", "here") + "]")
                .substr(0, 3),
            "500");
  EXPECT_TRUE(set_.proxies().contains("three")) << "up to the first error";
}

TEST_F(ProxyApiTest, AnotherUpstreamRestartsTheProxyAndDropsItsConnections) {
  PeerServer other(executor_, false);
  const std::uint16_t port = Make("db");
  const auto client = Peer::Connect(executor_, port);
  client->Send("x");
  AwaitText(client, "x");
  EXPECT_EQ(Call("POST", "/proxies/db",
                 R"({"upstream":"localhost:)" + std::to_string(other.port()) + "\"}")
                .status,
            200);
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::eof);
  EXPECT_EQ(Port("db"), port);
  const auto next = Peer::Connect(executor_, port);
  next->Send("to the other");
  Await([&] { return other.peers.size() == 1 && other.peers[0]->received == "to the other"; },
        "the other upstream");
}

TEST_F(ProxyApiTest, ToxicityIsDrawnFromTheSeed) {
  const auto outcomes = [&](std::uint64_t seed) {
    ProxySet set(executor_, journal_, seed);
    ProxyApi api(set, "");
    NamedProxy* proxy = nullptr;
    EXPECT_FALSE(set.Create({.name = "db",
                             .listen = "localhost:0",
                             .upstream = "127.0.0.1:" + std::to_string(server_.port()),
                             .toxics = {}},
                            &proxy));
    EXPECT_EQ(api.Handle({.method = "POST",
                          .path = "/proxies/db/toxics",
                          .body = R"({"type":"reset_peer","toxicity":0.5})",
                          .user_agent = ""})
                  .status,
              200);
    std::string seen;
    for (int i = 0; i < 16; ++i) {
      const auto client = Peer::Connect(executor_, proxy->tcp().port());
      client->Send("x");
      Await([&] { return client->ended || !client->received.empty(); }, "an outcome");
      seen += client->ended ? 'R' : '.';
      client->Close();
    }
    return seen;
  };
  const std::string first = outcomes(1);
  EXPECT_EQ(outcomes(1), first);
  EXPECT_NE(outcomes(2), first);
}

TEST_F(ProxyApiTest, MetricsCountConnectionsBytesAndToxics) {
  const std::uint16_t port = Make("db");
  Toxic("db", R"({"type":"latency","name":"slow","attributes":{"latency":1}})");
  const auto client = Peer::Connect(executor_, port);
  client->Send("12345");
  AwaitText(client, "12345");
  const std::string metrics = Call("GET", "/metrics").body;
  const std::string labels = R"(,listener="127.0.0.1:)" + std::to_string(port) +
                             R"(",proxy="db",upstream="127.0.0.1:)" +
                             std::to_string(server_.port()) + "\"} 5\n";
  for (const std::string& line :
       {R"(toxiproxy_proxy_received_bytes_total{direction="upstream")" + labels,
        R"(toxiproxy_proxy_sent_bytes_total{direction="downstream")" + labels,
        std::string("squall_proxy_connections_total{proxy=\"db\"} 1\n"),
        std::string("squall_proxy_connections_open{proxy=\"db\"} 1\n"),
        std::string("squall_proxy_toxics{proxy=\"db\",stream=\"downstream\",toxic=\"slow\",type="
                    "\"latency\"} 1\n"),
        std::string("squall_proxy_toxic_hits_total{proxy=\"db\",stream=\"downstream\",toxic="
                    "\"slow\",type=\"latency\"} 1\n")}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

TEST(ToxicReferenceTest, IsInTheDocumentation) {
  const char* sources = std::getenv("SQUALL_SOURCE_DIR");
  ASSERT_NE(sources, nullptr);
  std::ifstream file(std::string(sources) + "/docs/proxy.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(text, HasSubstr(ToxicReference())) << "`squall proxy --toxics` prints it";
}

TEST_F(ProxyApiTest, SpeaksHttp) {
  const auto server = HttpServer::Start(
      executor_, {"localhost", 0}, [&](const ApiRequest& request) { return api_.Handle(request); },
      "X-Toxiproxy-Request-Id");
  ASSERT_OK(server);
  const auto client = Peer::Connect(executor_, (*server)->where().port);
  const auto answer = [&](const std::string& request) {
    const std::size_t before = client->received.size();
    client->Send(request);
    Await([&] { return client->received.find("\r\n\r\n", before) != std::string::npos; },
          "a reply");
    return client->received.substr(before);
  };
  // Three on one connection: the second has a name that is encoded, the third no body to answer.
  EXPECT_THAT(answer("GET /version HTTP/1.1\r\nHost: a\r\n\r\n"),
              StartsWith("HTTP/1.1 200 OK\r\n"));
  Make("a b");
  const std::string shown = answer("GET /proxies/a%20b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(shown, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(shown, HasSubstr("X-Toxiproxy-Request-Id: "));
  const std::string reset = answer("POST /reset HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(reset, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_EQ(reset.find("Content-Length"), std::string::npos);
  const std::string missing = answer("GET /proxies/x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(missing, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(answer("GET //version HTTP/1.1\r\nHost: a\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 301 "), HasSubstr("Location: /version\r\n"),
                    HasSubstr("Content-Length: 0\r\n")));
  client->Send("nonsense\r\n\r\n");
  AwaitEnd(client);
}

}  // namespace
}  // namespace squall::harness
