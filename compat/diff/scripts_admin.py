"""Topics, configs and what admin clients ask for."""

UNKNOWN = "11111111-2222-3333-4444-555555555555"
KEEPS_DESCRIPTION = 8


def create(s, step, topics, version=7, validate_only=False, **more):
    defaults = {"numPartitions": 1, "replicationFactor": 1}
    return s.ask(step, "CreateTopics", version, {"timeoutMs": 10000, "validateOnly": validate_only, **more,
                 "topics": [{**({} if "assignments" in t else defaults), **t} for t in topics]})


def configs(**given):
    return [{"name": name.replace("_", "."), "value": value} for name, value in given.items()]


def ask_create_topics(s):
    for version in range(2, 8):
        create(s, "every version", [{"name": f"topic_{version}", "configs": configs(min_insync_replicas="2")}], version)
        create(s, "exists", [{"name": f"topic_{version}"}], version)
    create(s, "defaults", [{"name": "d1", "numPartitions": -1, "replicationFactor": -1}])
    create(s, "defaults, validated", [{"name": "d2", "numPartitions": -1, "replicationFactor": -1}], validate_only=True)
    create(s, "assignment", [{"name": "a1", "numPartitions": -1, "replicationFactor": -1,
                              "assignments": [{"partitionIndex": 0, "brokerIds": [1]}, {"partitionIndex": 1, "brokerIds": [1]}]}])
    bad = {
        "partitions 0": {"numPartitions": 0}, "partitions -2": {"numPartitions": -2},
        "replication 0": {"replicationFactor": 0}, "replication -2": {"replicationFactor": -2},
        "replication 2": {"replicationFactor": 2}, "unknown config": {"configs": configs(not_a_property="error")},
        "bad value": {"configs": configs(retention_ms="soon")}, "null value": {"configs": configs(retention_ms=None)},
        "out of range": {"configs": configs(min_insync_replicas="0")},
        "bad list": {"configs": configs(cleanup_policy="shred")}, "empty list": {"configs": configs(cleanup_policy="")},
        "list twice": {"configs": configs(cleanup_policy="delete,delete")},
        "bad enum": {"configs": configs(compression_type="rar")}, "small segment": {"configs": configs(segment_bytes="100")},
        "config twice": {"configs": configs(retention_ms="1") + configs(retention_ms="2")},
        "local retention": {"configs": configs(local_retention_ms="9", retention_ms="5")},
        "remote": {"configs": configs(remote_storage_enable="true")},
        "spaces": {"configs": configs(retention_ms=" 5 ")}, "bool": {"configs": configs(preallocate="yes")},
        "both": {"assignments": [{"partitionIndex": 0, "brokerIds": [1]}], "numPartitions": 10, "replicationFactor": 1},
        "both, only partitions": {"assignments": [{"partitionIndex": 0, "brokerIds": [1]}], "numPartitions": 10, "replicationFactor": -1},
    }
    auto = {"numPartitions": -1, "replicationFactor": -1}
    for name, assignments in {
        "unknown broker": [(0, [7])], "uneven": [(0, [1]), (1, [1, 2])], "twice": [(0, [1, 1])], "gap": [(0, [1]), (2, [1])],
        "not from 0": [(1, [1])], "no replicas": [(0, [])], "negative": [(0, [-1])], "partition twice": [(0, [1]), (0, [1])],
    }.items():
        bad[f"assignment {name}"] = {**auto, "assignments": [{"partitionIndex": p, "brokerIds": b} for p, b in assignments]}
    for name, topic in bad.items():
        create(s, name, [{"name": "bad", **topic}], validate_only=True)
        create(s, name, [{"name": "bad", **topic}], 4, validate_only=True)
    for name in ("", ".", "..", "a b", "a/b", "ü", "x" * 249, "x" * 250, "a.b", "__cluster_metadata", "__consumer_offsets", "__x"):
        create(s, f"name {name[:9]}({len(name)})", [{"name": name}], validate_only=True)
    create(s, "collide 1", [{"name": "col.lide"}])
    create(s, "collide 2", [{"name": "col_lide"}])
    create(s, "collide in one", [{"name": "one.two"}, {"name": "one_two"}])
    create(s, "twice in one", [{"name": "same"}, {"name": "same"}, {"name": "other"}])
    create(s, "twice and wrong", [{"name": "same", "numPartitions": 0}, {"name": "same"}])
    create(s, "none", [])
    create(s, "partial", [{"name": "topic_2"}, {"name": "p1", "numPartitions": -2}, {"name": "p2", "replicationFactor": 4},
                          {"name": "p3"}])
    create(s, "no time", [{"name": "no-time"}], timeoutMs=0)
    create(s, "many partitions", [{"name": "many", "numPartitions": 20000}], validate_only=True)


def ask_create_topics_on_controller(s):
    for version in (2, 5, 7):
        s.ask("on the controller", "CreateTopics", version, to="controller", body={"timeoutMs": 9000, "topics": [
            {"name": f"ctl{version}", "numPartitions": 1, "replicationFactor": 1}]})


def ask_delete_topics(s):
    ids = {name: s.topic(name) for name in ("del1", "del2", "del3", "del4", "del5", "del6", "del7", "del8")}
    for version in range(1, 6):
        s.ask("names", "DeleteTopics", version, {"topicNames": [f"del{version}", "nope"], "timeoutMs": 9000})
    s.ask("mixed", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": [
        {"name": "del6"}, {"name": None, "topicId": ids["del7"]}, {"name": None, "topicId": UNKNOWN}, {"name": "nope"}]})
    s.ask("both", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": [{"name": "del8", "topicId": ids["del8"]}]})
    s.ask("neither", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": [{"name": None}]})
    s.ask("twice", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": [{"name": "del8"}, {"name": "del8"}]})
    s.ask("name and id of one", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": [
        {"name": "del8"}, {"name": None, "topicId": ids["del8"]}]})
    s.ask("id twice", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": [{"name": None, "topicId": ids["del8"]}] * 2})
    s.ask("none", "DeleteTopics", 6, {"timeoutMs": 9000, "topics": []})
    s.ask("names twice", "DeleteTopics", 5, {"timeoutMs": 9000, "topicNames": ["nope", "nope"]})
    s.ask("bad name", "DeleteTopics", 5, {"timeoutMs": 9000, "topicNames": ["a b", ""]})


def ask_create_partitions(s):
    s.topic("cp", 2)
    def ask(step, version=3, validate=False, topics=None, **topic):
        s.ask(step, "CreatePartitions", version, {"timeoutMs": 9000, "validateOnly": validate,
              "topics": topics if topics is not None else [{"name": "cp", **topic}]})
    for version in range(4):
        ask("same", version, count=2, assignments=None)
        ask("fewer", version, count=1, assignments=None)
        ask("validated", version, True, count=5, assignments=None)
    for step, topic in {
        "zero": {"count": 0}, "negative": {"count": -1}, "unknown broker": {"count": 3, "assignments": [{"brokerIds": [9]}]},
        "too many": {"count": 3, "assignments": [{"brokerIds": [1]}] * 2}, "too few": {"count": 5, "assignments": [{"brokerIds": [1]}]},
        "empty": {"count": 3, "assignments": []}, "no replicas": {"count": 3, "assignments": [{"brokerIds": []}]},
        "twice": {"count": 3, "assignments": [{"brokerIds": [1, 1]}]}, "uneven": {"count": 3, "assignments": [{"brokerIds": [1, 2]}]},
        "far too many": {"count": 100001, "assignments": None},
    }.items():
        ask(step, validate=True, **{"assignments": None, **topic})
    ask("unknown", topics=[{"name": "nope", "count": 3, "assignments": None}])
    ask("named twice", topics=[{"name": "cp", "count": 3, "assignments": None}, {"name": "cp", "count": 4, "assignments": None}])
    ask("none", topics=[])
    ask("real", count=3, assignments=[{"brokerIds": [1]}])
    ask("real 2", count=4, assignments=None)
    s.ask("after", "Metadata", 12, {"topics": [{"name": "cp"}], "allowAutoTopicCreation": False})


def describe(s, step, resources, version=4, **more):
    body = {"resources": [{"resourceType": t, "resourceName": n, "configurationKeys": k} for t, n, k in resources]}
    if version >= 1:
        body["includeSynonyms"] = True
    if version >= 3:
        body["includeDocumentation"] = False
    said = s.ask(step, "DescribeConfigs", version, {**body, **more}, note=False)
    for result in said.get("results", []):
        result["configs"] = {c["name"]: {k: v for k, v in c.items() if k != "name"}
                             for c in sorted(result["configs"], key=lambda c: c["name"])}
    s.note(f"{step} v{version}", said)


def ask_describe_configs(s):
    s.topic("dc", configs={"retention.ms": "5000", "cleanup.policy": "compact"})
    for version in range(1, 5):
        describe(s, "topic", [(2, "dc", None)], version)
        describe(s, "broker", [(4, "1", None)], version)
    keys = ["retention.ms", "cleanup.policy", "nonsense"]
    describe(s, "keys", [(2, "dc", keys)])
    describe(s, "no keys", [(2, "dc", [])])
    describe(s, "no synonyms", [(2, "dc", keys)], includeSynonyms=False)
    describe(s, "unknown topic", [(2, "nope", None)])
    describe(s, "bad topic name", [(2, "a b", None), (2, "", None)])
    describe(s, "cluster default", [(4, "", None)])
    describe(s, "other broker", [(4, "2", None)])
    describe(s, "broker not a number", [(4, "one", None)])
    describe(s, "loggers", [(8, "1", ["root", "kafka"]), (8, "2", None), (8, "", None)])
    describe(s, "client metrics", [(16, "nope", None), (16, "", None)])
    describe(s, "group", [(32, "g", None), (32, "", None)])
    describe(s, "unknown kinds", [(0, "x", None), (3, "x", None), (99, "x", None)])
    describe(s, "several", [(2, "dc", ["retention.ms"]), (2, "dc", ["retention.ms"]), (4, "1", ["log.retention.ms"])])
    describe(s, "offsets topic", [(2, "__consumer_offsets", None)])


SET, DELETE, APPEND, SUBTRACT = range(4)


def ask_alter_configs(s):
    s.topic("ac")
    def incremental(step, kind, name, *changes, version=1, validate=False):
        s.ask(step, "IncrementalAlterConfigs", version, {"validateOnly": validate, "resources": [
            {"resourceType": kind, "resourceName": name, "configs": [
                {"name": n, "configOperation": o, "value": v} for n, o, v in changes]}]})
    def replace(step, kind, name, changes, version=2, validate=False):
        s.ask(step, "AlterConfigs", version, {"validateOnly": validate, "resources": [
            {"resourceType": kind, "resourceName": name, "configs": [{"name": n, "value": v} for n, v in changes]}]})
    cases = {
        "set": [("retention.ms", SET, "7")], "delete": [("retention.ms", DELETE, None)],
        "delete with a value": [("retention.ms", DELETE, "7")], "set null": [("retention.ms", SET, None)],
        "append": [("cleanup.policy", APPEND, "compact")], "append again": [("cleanup.policy", APPEND, "compact")],
        "subtract": [("cleanup.policy", SUBTRACT, "delete")], "subtract all": [("cleanup.policy", SUBTRACT, "compact")],
        "append to no list": [("retention.ms", APPEND, "7")], "append null": [("cleanup.policy", APPEND, None)],
        "unknown": [("nonsense", SET, "1")], "bad value": [("retention.ms", SET, "soon")], "bad operation": [("retention.ms", 9, "1")],
        "twice": [("retention.ms", SET, "1"), ("retention.ms", SET, "2")], "nothing": [], "delete unset": [("flush.ms", DELETE, None)],
        "delete unknown": [("nonsense", DELETE, None)], "empty name": [("", SET, "1")],
        "segment too small": [("segment.bytes", SET, "13")], "below zero": [("max.message.bytes", SET, "-1")],
        "compact of local": [("local.retention.ms", SET, "9"), ("retention.ms", SET, "5")],
        "two of them": [("retention.ms", SET, "1"), ("segment.bytes", SET, "1")],
    }
    for step, changes in cases.items():
        incremental(step, 2, "ac", *changes, validate=True)
        incremental(step, 2, "ac", *changes, version=0)
    for step, changes in {"set": [("retention.ms", "7")], "nothing": [], "unknown": [("x", "1")], "bad": [("retention.ms", "x")],
                          "null": [("retention.ms", None)], "twice": [("retention.ms", "1"), ("retention.ms", "2")]}.items():
        for version in range(3):
            replace(step, 2, "ac", changes, version)
        describe(s, f"after {step}", [(2, "ac", ["retention.ms", "cleanup.policy", "segment.bytes"])])
    for kind, name in ((2, "nope"), (2, ""), (2, "a b"), (4, "2"), (4, "one"), (0, "x"), (99, "x"), (8, "1"), (8, "2"), (16, "cm"),
                       (32, "gr"), (32, ""), (16, ""), (3, "x")):
        incremental(f"{kind} {name}", kind, name, ("retention.ms", SET, "7"))
        replace(f"{kind} {name}", kind, name, [("retention.ms", "7")])
    broker = {"dynamic": [("log.retention.ms", SET, "86400000")], "static": [("node.id", SET, "3")], "unknown": [("x.y", SET, "3")],
              "bad": [("log.retention.ms", SET, "soon")], "threads": [("num.io.threads", SET, "9")], "too many": [("num.io.threads", SET, "900")],
              "zero": [("num.io.threads", SET, "0")], "per broker": [("advertised.listeners", SET, "PLAINTEXT://h:1")],
              "password": [("ssl.keystore.password", SET, "x")], "delete": [("log.retention.ms", DELETE, None)],
              "read only": [("log.dirs", SET, "/x")], "max connections": [("max.connections.per.ip", SET, "-3")],
              "compression": [("compression.type", SET, "rar")], "static delete": [("node.id", DELETE, None)]}
    for step, changes in broker.items():
        incremental(f"broker {step}", 4, "1", *changes, validate=True)
        incremental(f"cluster {step}", 4, "", *changes, validate=True)
    incremental("cluster really", 4, "", ("log.retention.ms", SET, "86400000"))
    describe(s, "cluster after", [(4, "", None), (4, "1", ["log.retention.ms"]), (2, "ac", ["retention.ms"])])
    incremental("cluster undone", 4, "", ("log.retention.ms", DELETE, None))
    incremental("group", 32, "gr", ("consumer.session.timeout.ms", SET, "50000"))
    incremental("group low", 32, "gr", ("consumer.session.timeout.ms", SET, "1"))
    describe(s, "group after", [(32, "gr", None)])
    incremental("metrics", 16, "cm", ("interval.ms", SET, "1000"), ("metrics", SET, "org.apache"))
    incremental("metrics bad", 16, "cm", ("interval.ms", SET, "1"), ("match", SET, "nonsense=("))
    describe(s, "metrics after", [(16, "cm", None)])
    incremental("logger", 8, "1", ("root", SET, "INFO"))
    incremental("logger bad", 8, "1", ("root", SET, "LOUD"))
    incremental("logger deleted", 8, "1", ("root", DELETE, None))
    s.ask("same resource twice", "IncrementalAlterConfigs", 1, {"resources": [
        {"resourceType": 2, "resourceName": "ac", "configs": [{"name": "flush.ms", "configOperation": 0, "value": v}]} for v in "12"]})
    for kinds in ([], [2], [4], [32], [16], [8], [2, 4], [99], [0]):
        listed = s.ask("", "ListConfigResources", 1, {"resourceTypes": kinds}, note=False)
        listed["configResources"] = sorted((c["resourceType"], c["resourceName"]) for c in listed.get("configResources") or []
                                           if c["resourceType"] != 2 or c["resourceName"] == "ac")
        s.note(f"listed {kinds}", listed)
    s.ask("", "ListConfigResources", 0, {})


def ask_metadata(s):
    names = ["md1", "md2"]
    ids = [s.topic(names[0], 2), s.topic(names[1])]
    for version in range(14):
        topics = [{"name": name} for name in names]
        s.ask("known", "Metadata", version, {"topics": topics})
        if version >= 4:
            s.ask("unknown", "Metadata", version, {"topics": [{"name": "nope"}, {"name": "md1"}], "allowAutoTopicCreation": False})
        s.ask("none", "Metadata", version, {"topics": [] if version else [{"name": "md1"}]})
        s.ask("bad names", "Metadata", version, {"topics": [{"name": n} for n in ("a b", "..", "x" * 250, "")],
              **({"allowAutoTopicCreation": False} if version >= 4 else {})})
        s.ask("created", "Metadata", version, {"topics": [{"name": f"auto{version}"}]})
        if version >= 10:
            s.ask("ids", "Metadata", version, {"allowAutoTopicCreation": False, "topics": [
                {"topicId": ids[0], "name": None}, {"topicId": UNKNOWN, "name": None}]})
            s.ask("id and name", "Metadata", version, {"topics": [{"topicId": ids[0], "name": "md1"}]})
            s.ask("null name", "Metadata", version, {"topics": [{"name": None}]})
        if version >= 8:
            s.ask("operations", "Metadata", version, {"topics": topics, "includeTopicAuthorizedOperations": True,
                  **({"includeClusterAuthorizedOperations": True} if version <= 10 else {})})
        s.ask("twice", "Metadata", version, {"topics": [{"name": "md1"}, {"name": "md2"}, {"name": "md1"}]})
        every = s.ask("", "Metadata", version, {"topics": None if version else []}, note=False)
        every["topics"] = [t for t in every.get("topics", []) if t["name"] in names]
        s.note(f"all v{version}", every)
    s.ask("internal", "Metadata", 12, {"topics": [{"name": "__consumer_offsets"}], "allowAutoTopicCreation": False})
    s.ask("internal created", "Metadata", 12, {"topics": [{"name": "__transaction_state"}], "allowAutoTopicCreation": False})


def ask_describe_cluster(s):
    for version in range(3):
        for to in ("broker", "controller"):
            for kind in (1, 2) if version else (1,):
                body = {"endpointType": kind} if version else {}
                s.ask(f"{to} kind {kind}", "DescribeCluster", version, body, to=to)
        s.ask("operations", "DescribeCluster", version, {"includeClusterAuthorizedOperations": True})
    s.ask("fenced", "DescribeCluster", 2, {"endpointType": 1, "includeFencedBrokers": True})
    s.ask("bad kind", "DescribeCluster", 2, {"endpointType": 3})


def ask_describe_quorum(s):
    for to in ("broker", "controller"):
        for version in range(3):
            for topic, partition in (("__cluster_metadata", 0), ("__cluster_metadata", 1), ("other", 0)):
                said = s.ask("", "DescribeQuorum", version, to=to, note=False, body={"topics": [
                    {"topicName": topic, "partitions": [{"partitionIndex": partition}]}]})
                for part in [p for t in said.get("topics", []) for p in t["partitions"]]:
                    part["highWatermark"] = part["highWatermark"] > 0
                    for replica in part["currentVoters"] + part["observers"]:
                        replica["logEndOffset"] = replica["logEndOffset"] > 0
                s.note(f"{to} {topic}-{partition} v{version}", said)
        s.ask("none", "DescribeQuorum", 2, {"topics": []}, to=to)


def ask_describe_topic_partitions(s):
    s.topic("dtp1", 3)
    s.topic("dtp2", 2)
    topics = [{"name": "dtp2"}, {"name": "nope"}, {"name": "dtp1"}, {"name": "a b"}, {"name": "dtp1"}]
    def ask(step, **body):
        s.ask(step, "DescribeTopicPartitions", 0, {"topics": topics, "responsePartitionLimit": 2000, "cursor": None, **body})
    ask("some")
    for limit in (0, 1, 2, 3, 4, 5, -1):
        ask(f"limit {limit}", responsePartitionLimit=limit)
    for topic, partition in (("dtp1", 1), ("dtp1", 3), ("dtp1", -1), ("dtp2", 1), ("dtp3", 0), ("zzz", 0)):
        ask(f"cursor {topic} {partition}", responsePartitionLimit=2, cursor={"topicName": topic, "partitionIndex": partition})
    ask("all after", topics=[], responsePartitionLimit=3, cursor={"topicName": "dtp1", "partitionIndex": 0})


def ask_log_dirs(s):
    s.topic("ld", 2)
    for version in range(1, 6):
        for step, topics in {"one": [{"topic": "ld", "partitions": [0, 1]}], "unknown": [{"topic": "nope", "partitions": [0]}],
                             "no such partition": [{"topic": "ld", "partitions": [7]}], "none": []}.items():
            said = s.ask(step, "DescribeLogDirs", version, {"topics": topics}, note=False)
            for result in said.get("results", []):
                for field in ("totalBytes", "usableBytes"):
                    if field in result:
                        result[field] = result[field] > 0
                for topic in result["topics"]:
                    topic["partitions"].sort(key=lambda p: p["partitionIndex"])
            s.note(f"{step} v{version}", said)
    for version in (1, 2):
        for topic, path in (("ld", "/nowhere"), ("nope", "/nowhere"), ("ld", "relative")):
            s.ask(f"{topic} {path}", "AlterReplicaLogDirs", version, {"dirs": [
                {"path": path, "topics": [{"name": topic, "partitions": [0]}]}]})


def ask_elections_and_reassignments(s):
    s.topic("er", 2)
    for version in range(3):
        kinds = (0, 1) if version else (0,)
        for kind in kinds:
            body = {"timeoutMs": 9000, **({"electionType": kind} if version else {})}
            s.ask(f"kind {kind}", "ElectLeaders", version, {**body, "topicPartitions": [
                {"topic": "er", "partitions": [0, 1, 9]}, {"topic": "nope", "partitions": [0]}]})
        s.ask("none", "ElectLeaders", version, {"timeoutMs": 9000, "topicPartitions": []})
    s.ask("bad kind", "ElectLeaders", 2, {"timeoutMs": 9000, "electionType": 5, "topicPartitions": [{"topic": "er", "partitions": [0]}]})
    for version in (0, 1):
        for replicas in ([1], [2], [], None, [1, 1], [-1], [1, 2]):
            s.ask(f"to {replicas}", "AlterPartitionReassignments", version, {"timeoutMs": 9000, "topics": [
                {"name": "er", "partitions": [{"partitionIndex": 0, "replicas": replicas}]}]})
        s.ask("unknown", "AlterPartitionReassignments", version, {"timeoutMs": 9000, "topics": [
            {"name": "nope", "partitions": [{"partitionIndex": 0, "replicas": [1]}]},
            {"name": "er", "partitions": [{"partitionIndex": 9, "replicas": [1]}]}]})
    s.ask("all", "ListPartitionReassignments", 0, {"timeoutMs": 9000, "topics": None})
    s.ask("some", "ListPartitionReassignments", 0, {"timeoutMs": 9000, "topics": [{"name": "er", "partitionIndexes": [0, 9]},
          {"name": "nope", "partitionIndexes": [0]}]})


def ask_features(s):
    for version in (0, 1, 2):
        for step, update in {
            "unknown": {"feature": "nonsense", "maxVersionLevel": 1}, "same": {"feature": "group.version", "maxVersionLevel": 1},
            "too high": {"feature": "group.version", "maxVersionLevel": 9}, "negative": {"feature": "group.version", "maxVersionLevel": -1},
            "metadata too high": {"feature": "metadata.version", "maxVersionLevel": 99},
            "metadata too low": {"feature": "metadata.version", "maxVersionLevel": 3},
            "lower": {"feature": "group.version", "maxVersionLevel": 0},
        }.items():
            s.ask(step, "UpdateFeatures", version, {"timeoutMs": 9000, "featureUpdates": [update],
                  **({"validateOnly": True} if version else {})})
        s.ask("none", "UpdateFeatures", version, {"timeoutMs": 9000, "featureUpdates": []})
    s.ask("twice", "UpdateFeatures", 1, {"timeoutMs": 9000, "featureUpdates": [{"feature": "group.version", "maxVersionLevel": 1}] * 2})
    s.ask("unknown broker", "UnregisterBroker", 0, {"brokerId": 77})
