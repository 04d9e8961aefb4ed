"""Frames, headers, versions: EdgeCaseRequestTest, ApiVersionsRequestTest, SocketServerTest."""

import struct

from wire import Closed


def outcome(script, frame, to="broker", raw=False):
    """Sends bytes and tells whether the broker answers or closes."""
    connection = script.connect(timeout=4, to=to)
    try:
        if raw:
            connection.socket.sendall(frame)
        else:
            connection.raw(frame)
        return {"answer": connection.frame().hex()}
    except Closed:
        return {"closed": True}
    except TimeoutError:
        return {"silent": True}
    finally:
        connection.close()


def ask_edge_cases(s):
    header = lambda key, version: struct.pack(">hhih", key, version, 7, 0)
    frames = {
        "header only": header(0, 3), "produce 1": header(0, 1), "produce 2": header(0, 2), "key -1": header(-1, 0),
        "key 4": header(4, 0), "key 7": header(7, 0), "key 17 too high": header(17, 9), "key 999": header(999, 0),
        "version -1": header(0, -1), "half a header": struct.pack(">hh", 0, 3), "empty": b"", "one byte": b"\0",
        "metadata too high": header(3, 99) + b"\0" * 10, "fetch 3": header(1, 3), "list offsets 0": header(2, 0),
        "metadata, null client id": struct.pack(">hhih", 3, 1, 7, -1) + struct.pack(">i", 0),
        "metadata, trailing bytes": header(3, 1) + struct.pack(">i", 0) + b"xx",
        "heartbeat, trailing bytes": header(12, 0) + struct.pack(">h1sih1s", 1, b"g", 1, 1, b"m") + b"xyz",
        "metadata, client id of -2": struct.pack(">hhih", 3, 1, 7, -2) + struct.pack(">i", 0),
        "metadata, topics of -2": header(3, 1) + struct.pack(">i", -2),
        "metadata, a billion topics": header(3, 1) + struct.pack(">i", 1_000_000_000),
        "api versions v0 with a body": header(18, 0) + b"\1\2\3",
    }
    for name, frame in frames.items():
        s.note(name, outcome(s, frame))
    s.note("size -1", outcome(s, struct.pack(">i", -1), raw=True))
    s.note("size 0", outcome(s, struct.pack(">i", 0), raw=True))
    s.note("size 2^31-1", outcome(s, struct.pack(">i", 2**31 - 1) + b"\0" * 100, raw=True))
    s.note("http", outcome(s, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", raw=True))
    s.note("tls", outcome(s, bytes.fromhex("16030100c8010000c40303") + b"\0" * 200, raw=True))
    for key in (0, 1, 8, 11, 52, 53, 54, 59, 62, 63, 70):
        s.note(f"controller, key {key}", outcome(s, header(key, 3) + b"\0" * 3, to="controller"))


def ask_tagged_fields(s):
    def metadata(tags):
        return struct.pack(">hhih", 3, 9, 7, -1) + tags + b"\1" + b"\1\0\0" + b"\0"
    s.note("an unknown tag in the header", "answer" in outcome(s, metadata(b"\1\x05\2hi")))
    s.note("tags out of order", "answer" in outcome(s, metadata(b"\2\x05\0\x03\0")))
    s.note("the same tag twice", "answer" in outcome(s, metadata(b"\2\x05\0\x05\0")))
    s.note("a tag longer than the frame", outcome(s, metadata(b"\1\x05\xff\xff\xff\x07")))
    s.note("2^32-1 tags", outcome(s, metadata(b"\xff\xff\xff\xff\x0f")))
    s.note("a varint of six bytes", outcome(s, metadata(b"\xff\xff\xff\xff\xff\x01")))


def api_versions(s, step, version, body=None, to="broker"):
    said = s.ask(step, "ApiVersions", version, body or {}, to=to, note=False)
    said["apiKeys"] = {str(api["apiKey"]): f"{api['minVersion']}-{api['maxVersion']}" for api in said.get("apiKeys", [])}
    said.pop("finalizedFeaturesEpoch", None)
    for part in ("supportedFeatures", "finalizedFeatures"):
        said[part] = sorted(said.get(part) or [], key=lambda feature: feature["name"])
    s.note(f"{step} v{version}", said)


def ask_api_versions(s):
    software = {"clientSoftwareName": "diff", "clientSoftwareVersion": "1.0"}
    for version in range(5):
        body = {} if version < 3 else dict(software)
        api_versions(s, "all", version, body)
        api_versions(s, "controller", version, body, to="controller")
    for name, release in (("", ""), ("-a", "1"), ("a b", "1"), ("a", ""), ("a", "1_0"), ("a.b-c", "v1.0-x"), ("ü", "1")):
        said = s.ask("", "ApiVersions", 3, {"clientSoftwareName": name, "clientSoftwareVersion": release}, note=False)
        s.note(f"{name!r} {release!r}", said.get("errorCode"))
    for to in ("broker", "controller"):
        for version in (6, 99, 32767, -1):
            frame = struct.pack(">hhihB", 18, version, 7, -1, 0)
            said = outcome(s, frame, to=to)
            s.note(f"{to}: version {version}", said)


def ask_sasl_on_plaintext(s):
    for version in (0, 1):
        s.ask("", "SaslHandshake", version, {"mechanism": "PLAIN"})
    for version in (0, 1, 2):
        s.ask("", "SaslAuthenticate", version, {"authBytes": b"\0a\0b"})


def ask_pipelined(s):
    connection = s.connect()
    for _ in range(20):
        connection.send("Metadata", 1, {"topics": []})
    first = connection.correlation - 19
    order = [struct.unpack(">i", connection.frame()[:4])[0] - first for _ in range(20)]
    s.note("answers in order", order)


def ask_disabled_admin(s):
    """What a broker without authorizer, quotas, tokens or SCRAM says."""
    anything = {"resourceTypeFilter": 1, "patternTypeFilter": 1, "operation": 1, "permissionType": 1}
    for version in (1, 2, 3):
        s.ask("", "DescribeAcls", version, anything)
        s.ask("", "CreateAcls", version, {"creations": [{"resourceType": 2, "resourceName": "t", "resourcePatternType": 3,
              "principal": "User:a", "host": "*", "operation": 3, "permissionType": 3}]})
        s.ask("none", "CreateAcls", version, {"creations": []})
        s.ask("", "DeleteAcls", version, {"filters": [anything, anything]})
    for to in ("broker", "controller"):
        for version in (0, 1):
            s.ask(to, "DescribeClientQuotas", version, {"components": [], "strict": False}, to=to)
            s.ask(f"{to} user", "DescribeClientQuotas", version, {"components": [
                {"entityType": "user", "matchType": 2, "match": None}], "strict": True}, to=to)
        s.ask(to, "DescribeUserScramCredentials", 0, {"users": None}, to=to)
        s.ask(f"{to} named", "DescribeUserScramCredentials", 0, {"users": [{"name": "nobody"}]}, to=to)
    s.ask("twice", "DescribeUserScramCredentials", 0, {"users": [{"name": "n"}, {"name": "n"}]})
    s.ask("empty list", "DescribeUserScramCredentials", 0, {"users": []})
    s.ask("bad match", "DescribeClientQuotas", 1, {"components": [{"entityType": "user", "matchType": 9}]})
    s.ask("bad type", "DescribeClientQuotas", 1, {"components": [{"entityType": "house", "matchType": 2}]})
    s.ask("twice", "DescribeClientQuotas", 1, {"components": [{"entityType": "user", "matchType": 2}] * 2})
    for version in (1, 2, 3):
        s.ask("", "DescribeDelegationToken", version, {"owners": None})
        s.ask("", "CreateDelegationToken", version, {"maxLifetimeMs": -1})
        if version < 3:
            s.ask("", "RenewDelegationToken", version, {"hmac": b"x", "renewPeriodMs": 1})
            s.ask("", "ExpireDelegationToken", version, {"hmac": b"x", "expiryTimePeriodMs": 1})


def ask_transactions_listed(s):
    for version in (0, 1, 2):
        s.ask("all", "ListTransactions", version, {})
        s.ask("state", "ListTransactions", version, {"stateFilters": ["Ongoing", "Nonsense"]})
    s.ask("pattern", "ListTransactions", 2, {"transactionalIdPattern": "a.*"})
    s.ask("bad pattern", "ListTransactions", 2, {"transactionalIdPattern": "("})


def ask_client_metrics(s):
    s.ask("telemetry", "GetTelemetrySubscriptions", 0, {"clientInstanceId": "00000000-0000-0000-0000-000000000000"})
