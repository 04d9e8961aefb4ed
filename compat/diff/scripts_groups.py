"""Classic groups: JoinGroupRequestTest and its siblings, over every version."""

import time

PROTOCOLS = [{"name": "range", "metadata": b"meta"}]


def coordinator(s):
    """Waits until the broker coordinates all groups."""
    s.ask("", "FindCoordinator", 4, {"keyType": 0, "coordinatorKeys": ["any"]}, note=False)
    waiting = {f"any{n}" for n in range(100)}
    for _ in range(100):
        said = s.ask("", "DescribeGroups", 5, {"groups": sorted(waiting)}, note=False)
        waiting = {group["groupId"] for group in said["groups"] if group["errorCode"] not in (0, 69)}
        if not waiting:
            return
        time.sleep(0.1)


def join(s, step, version, group, member="", instance=None, note=True, **more):
    return s.ask(step, "JoinGroup", version, note=note, body={
        "groupId": group, "sessionTimeoutMs": 6000, "rebalanceTimeoutMs": 500, "memberId": member, "groupInstanceId": instance,
        "protocolType": "consumer", "protocols": PROTOCOLS, "reason": "because", **more})


def member_of(s, group, version=5, step=None, instance=None):
    """Joins alone, id first when it is asked for, and syncs: gives (member id, generation)."""
    said = join(s, step or "", version, group, instance=instance, note=step is not None)
    if said["errorCode"] == 79:
        said = join(s, step or "", version, group, said["memberId"], instance=instance, note=step is not None)
    member, generation = said["memberId"], said["generationId"]
    s.ask(step or "", "SyncGroup", min(version, 5), note=step is not None, body={
        "groupId": group, "generationId": generation, "memberId": member, "groupInstanceId": instance, "protocolType": "consumer",
        "protocolName": "range", "assignments": [{"memberId": member, "assignment": b"mine"}]})
    return member, generation


def ask_find_coordinator(s):
    s.ask("first", "FindCoordinator", 2, {"key": "g", "keyType": 0}, note=False)
    coordinator(s)
    for version in range(7):
        for kind in (0, 1, 2, 3, -1):
            for key in ("g", "", "g:AAAAAAAAAAAAAAAAAAAAAQ:0"):
                if kind == 1 or version == 0 and kind:
                    continue
                s.ask(f"kind {kind} {key!r}", "FindCoordinator", version, {"key": key, "keyType": kind, "coordinatorKeys": [key]})
        s.ask("several", "FindCoordinator", version, {"key": "g", "coordinatorKeys": ["a", "b", "a"]})
        s.ask("none", "FindCoordinator", version, {"key": "g", "coordinatorKeys": []})


def ask_join_group(s):
    coordinator(s)
    for version in range(10):
        g = f"jg{version}"
        join(s, "empty group", version, "")
        for step, more in {"session too short": {"sessionTimeoutMs": 100}, "session too long": {"sessionTimeoutMs": 10_000_000},
                           "unknown member": {"member": "nobody"}, "no protocols": {"protocols": []}, "no type": {"protocolType": ""},
                           "no type no protocols": {"protocolType": "", "protocols": []},
                           "session negative": {"sessionTimeoutMs": -1}}.items():
            join(s, step, version, g, **more)
        if version >= 5:
            join(s, "unknown static member", version, g, "nobody", instance="i")
            for bad in ("", ".", "a b", "x" * 250):
                join(s, f"instance {bad[:5]}", version, g, instance=bad)
        member, generation = member_of(s, g, version, "alone")
        join(s, "other type", version, g, protocolType="connect")
        join(s, "other protocol", version, g, protocols=[{"name": "unheard", "metadata": b""}])
        for v in range(5):
            for step, more in {"fine": {}, "wrong generation": {"generationId": 9}, "wrong member": {"memberId": "x"},
                               "empty member": {"memberId": ""}, "wrong group": {"groupId": "nope"}, "empty group": {"groupId": ""},
                               "instance": {"groupInstanceId": "i"}, "generation -1": {"generationId": -1}}.items():
                s.ask(f"{step}", "Heartbeat", v, {"groupId": g, "generationId": generation, "memberId": member, **more})
        for v in range(6):
            for step, more in {"fine": {}, "wrong generation": {"generationId": 9}, "wrong member": {"memberId": "x"},
                               "wrong group": {"groupId": "nope"}, "empty group": {"groupId": ""}, "other type": {"protocolType": "c"},
                               "other name": {"protocolName": "x"}, "no type": {"protocolType": None, "protocolName": None},
                               "instance": {"groupInstanceId": "i"}}.items():
                s.ask(f"{step}", "SyncGroup", v, {"groupId": g, "generationId": generation, "memberId": member,
                      "protocolType": "consumer", "protocolName": "range", "assignments": [], **more})
        again = join(s, "again", version, g, member)
        s.ask("not synced", "Heartbeat", 3, {"groupId": g, "generationId": again.get("generationId", -1), "memberId": member})
        s.ask("leader leaves out itself", "SyncGroup", 5, {"groupId": g, "generationId": again.get("generationId", -1), "memberId": member,
              "protocolType": "consumer", "protocolName": "range", "assignments": []})


def ask_leave_group(s):
    coordinator(s)
    for version in range(6):
        g = f"lg{version}"
        for step, more in {"unknown group": {"groupId": "nope"}, "empty group": {"groupId": ""}}.items():
            s.ask(step, "LeaveGroup", version, {"groupId": g, "memberId": "m", "members": [{"memberId": "m"}], **more})
        member, _ = member_of(s, g)
        s.ask("nobody", "LeaveGroup", version, {"groupId": g, "memberId": "x", "members": [
            {"memberId": "x"}, {"memberId": "", "groupInstanceId": "i"}, {"memberId": "x", "groupInstanceId": "i"}]})
        s.ask("no members", "LeaveGroup", version, {"groupId": g, "memberId": "", "members": []})
        s.ask("member", "LeaveGroup", version, {"groupId": g, "memberId": member, "members": [{"memberId": member, "reason": "r"}]})
        s.ask("again", "LeaveGroup", version, {"groupId": g, "memberId": member, "members": [{"memberId": member}] * 2})
        if version >= 3:
            member, _ = member_of(s, f"st{version}", instance="i")
            s.ask("wrong id", "LeaveGroup", version, {"groupId": f"st{version}", "members": [{"memberId": "x", "groupInstanceId": "i"}]})
            s.ask("static", "LeaveGroup", version, {"groupId": f"st{version}", "members": [{"memberId": "", "groupInstanceId": "i"}]})


def offsets(s, step, version, group, topic="of", topic_id=None, member="", generation=-1, note=True, **part):
    return s.ask(step, "OffsetCommit", version, note=note, body={
        "groupId": group, "generationIdOrMemberEpoch": generation, "memberId": member, "topics": [
            {"name": topic, **({"topicId": topic_id} if topic_id else {}), "partitions": [
                {"partitionIndex": 0, "committedOffset": 5, "committedMetadata": "meta", **part}]}]})


def ask_offset_commit(s):
    coordinator(s)
    topic_id = s.topic("of", 2)
    for version in range(2, 11):
        g = f"oc{version}"
        offsets(s, "alone", version, g, topic_id=topic_id)
        offsets(s, "empty group", version, "", topic_id=topic_id)
        offsets(s, "unknown topic", version, g, "nope", topic_id="11111111-2222-3333-4444-555555555555")
        offsets(s, "unknown partition", version, g, topic_id=topic_id, partitionIndex=9)
        offsets(s, "nil id", version, g)
        offsets(s, "metadata null", version, g, topic_id=topic_id, committedMetadata=None)
        offsets(s, "metadata long", version, g, topic_id=topic_id, committedMetadata="x" * 5000)
        offsets(s, "offset -1", version, g, topic_id=topic_id, committedOffset=-1)
        offsets(s, "offset -2", version, g, topic_id=topic_id, committedOffset=-2)
        offsets(s, "epoch", version, g, topic_id=topic_id, committedLeaderEpoch=3)
        offsets(s, "generation", version, g, topic_id=topic_id, generation=3)
        offsets(s, "member", version, g, topic_id=topic_id, member="m")
        offsets(s, "generation of nobody", version, "never", topic_id=topic_id, member="m", generation=1)
        member, generation = member_of(s, g + "m")
        offsets(s, "in the group", version, g + "m", topic_id=topic_id, member=member, generation=generation)
        offsets(s, "wrong generation", version, g + "m", topic_id=topic_id, member=member, generation=99)
        offsets(s, "wrong member", version, g + "m", topic_id=topic_id, member="x", generation=generation)
        offsets(s, "outside", version, g + "m", topic_id=topic_id)
        s.ask("nothing", "OffsetCommit", version, {"groupId": g, "generationIdOrMemberEpoch": -1, "topics": []})
        s.ask("no partitions", "OffsetCommit", version, {"groupId": g, "generationIdOrMemberEpoch": -1,
              "topics": [{"name": "of", "topicId": topic_id, "partitions": []}]})
        s.ask("twice", "OffsetCommit", version, {"groupId": g, "generationIdOrMemberEpoch": -1, "topics": [
            {"name": n, "topicId": i, "partitions": [{"partitionIndex": 0, "committedOffset": o, "committedMetadata": ""}]}
            for n, i, o in (("of", topic_id, 1), ("nope", "11111111-2222-3333-4444-555555555555", 1), ("of", topic_id, 2))]})


def ask_offset_fetch(s):
    coordinator(s)
    topic_id = s.topic("off", 3)
    offsets(s, "", 9, "og", "off", note=False)
    offsets(s, "", 9, "og", "off", note=False, partitionIndex=2, committedLeaderEpoch=4, committedMetadata="")
    unknown = "11111111-2222-3333-4444-555555555555"
    for version in range(1, 11):
        def ask(step, *groups, **more):
            old = {"groupId": groups[0]["groupId"], "topics": groups[0]["topics"]} if groups else {"groupId": "og", "topics": []}
            s.ask(step, "OffsetFetch", version, {**old, "groups": list(groups), **more})
        def group(name, topics, **more):
            return {"groupId": name, "topics": topics, **more}
        def topic(name, parts, given):
            return {"name": name, "partitionIndexes": parts, **({"topicId": given} if version >= 10 else {})}
        some = [topic("off", [0, 1, 2, 9], topic_id), topic("nope", [0], unknown)]
        ask("some", group("og", some))
        ask("none", group("og", []))
        if version >= 2:
            ask("all", group("og", None))
            ask("all of nobody", group("never", None))
        ask("nobody", group("never", some))
        ask("empty group", group("", some))
        ask("stable", group("og", some), requireStable=version >= 7)
        if version >= 8:
            ask("several", group("og", some), group("never", some), group("og", None))
            ask("no groups")
        if version >= 9:
            ask("member", group("og", some, memberId="m", memberEpoch=3))
            ask("epoch", group("og", some, memberId=None, memberEpoch=3))


def ask_offset_delete(s):
    coordinator(s)
    s.topic("od")
    def ask(step, group, topic="od", partition=0):
        s.ask(step, "OffsetDelete", 0, {"groupId": group, "topics": [{"name": topic, "partitions": [{"partitionIndex": partition}]}]})
    ask("no group", "never")
    ask("empty group", "")
    offsets(s, "", 9, "odg", "od", note=False)
    ask("unknown topic", "odg", "nope")
    ask("unknown partition", "odg", partition=9)
    ask("fine", "odg")
    ask("again", "odg")
    member_of(s, "odm")
    ask("subscribed, unreadable", "odm")
    s.ask("nothing", "OffsetDelete", 0, {"groupId": "odg", "topics": []})


def ask_describe_groups(s):
    coordinator(s)
    member_of(s, "dg")
    member_of(s, "dgs", instance="inst")
    offsets(s, "", 9, "dge", "of", note=False)
    for version in range(7):
        s.ask("several", "DescribeGroups", version, {"groups": ["dg", "never", "dgs", "dge", ""]})
        s.ask("twice", "DescribeGroups", version, {"groups": ["dg", "dg"]})
        s.ask("operations", "DescribeGroups", version, {"groups": ["dg", "never"], "includeAuthorizedOperations": version >= 3})
    for version in range(6):
        filters = [([], [])] + ([(["Stable"], []), (["stable", "Empty"], []), (["Nonsense"], []), (["Dead"], [])] if version >= 4 else []) \
            + ([([], ["classic"]), ([], ["Consumer"]), ([], ["nonsense"]), (["Stable"], ["classic"])] if version >= 5 else [])
        for states, types in filters:
            said = s.ask("", "ListGroups", version, {"statesFilter": states, "typesFilter": types}, note=False)
            said["groups"] = sorted((g for g in said.get("groups", []) if g["groupId"].startswith("dg")), key=lambda g: g["groupId"])
            s.note(f"listed {states} {types} v{version}", said)


def ask_delete_groups(s):
    coordinator(s)
    topic_id = s.topic("xt")
    for version in range(3):
        member, _ = member_of(s, "dlg")
        offsets(s, "commit", 9, "dle", "xt")
        s.ask("several", "DeleteGroups", version, {"groupsNames": ["dlg", "never", "dle", ""]})
        s.ask("gone", "DeleteGroups", version, {"groupsNames": ["dle", "dle"]})
        s.ask("none", "DeleteGroups", version, {"groupsNames": []})
        s.ask("described", "DescribeGroups", 5, {"groups": ["dle"]})
        s.ask("leave", "LeaveGroup", 3, {"groupId": "dlg", "members": [{"memberId": member}]})
        s.ask("left", "DeleteGroups", version, {"groupsNames": ["dlg"]})


def ask_static_members(s):
    coordinator(s)
    first, generation = member_of(s, "sm", 9, "first", instance="i")
    again = join(s, "returns", 9, "sm", instance="i")
    for step, member in (("fenced", first), ("fine", again.get("memberId", ""))):
        s.ask(step, "Heartbeat", 4, {"groupId": "sm", "generationId": generation, "memberId": member, "groupInstanceId": "i"})
        s.ask(step, "SyncGroup", 5, {"groupId": "sm", "generationId": generation, "memberId": member, "groupInstanceId": "i",
              "protocolType": "consumer", "protocolName": "range", "assignments": []})
        s.ask(step, "OffsetCommit", 9, {"groupId": "sm", "generationIdOrMemberEpoch": generation, "memberId": member,
              "groupInstanceId": "i", "topics": []})
        join(s, step, 9, "sm", member, instance="i")


def ask_next_generation(s):
    """Consumer, share and streams groups' calls."""
    coordinator(s)
    s.ask("", "ConsumerGroupDescribe", 1, {"groupIds": ["never", ""]})
    s.ask("", "ShareGroupDescribe", 1, {"groupIds": ["never"]})
    s.ask("", "StreamsGroupDescribe", 0, {"groupIds": ["never"]})
