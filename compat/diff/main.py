"""Asks one broker every script and writes down what it said, or compares two such transcripts.

    main.py ask JAR HOST:PORT HOST:CONTROLLER_PORT FILE [part of a script's name...]
    main.py compare KAFKA KLAMM ACCEPTED
"""

import json
import re
import sys
import time
import traceback

import scripts_admin
import scripts_data
import scripts_groups
import scripts_wire
from wire import Closed, Connection, Schemas

UNORDERED = {"partitions", "groups", "results", "topics", "members"}
NIL = "00000000-0000-0000-0000-000000000000"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BASE64 = re.compile(r"(?<![\w-])[\w-]{22}(?![\w-])")


class Script:
    """What a script speaks with: connections to the broker and a page to write answers on."""

    def __init__(self, schemas, broker, controller):
        self.schemas, self.addresses = schemas, {"broker": broker, "controller": controller}
        self.steps, self.open = [], {}
        self.now = int(time.time() * 1000)

    def connect(self, timeout=15, to="broker"):
        return Connection(self.schemas, self.addresses[to], timeout)

    def ask(self, step, name, version, body=None, to="broker", note=True, client_id="diff"):
        """One request on a kept connection; its answer, or why there is none, is written down."""
        connection = self.open.get(to) or self.connect(to=to)
        self.open[to] = connection
        try:
            answer = connection.ask(name, version, body or {}, client_id)
        except (Closed, TimeoutError, ValueError) as error:
            answer = {"<no answer>": type(error).__name__}
            connection.close()
            del self.open[to]
        if note:
            self.note(f"{step} {name} v{version}", answer)
        return answer

    def note(self, step, answer):
        self.steps.append((step, self.plain(None, answer)))

    def plain(self, name, value):
        """Without what differs from run to run."""
        if isinstance(value, dict):
            return {key: self.plain(key, inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            plain = [self.plain(name, inner) for inner in value]
            # Kafka answers these in the order of its hash tables.
            return sorted(plain, key=json.dumps) if name in UNORDERED else plain
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, str):
            value = UUID.sub(lambda found: self.symbol(found[0]), value)
            value = re.sub(r"within \[-?\d+, \d+\]", "within <times>", value)
            value = re.sub(r"Timestamp \d+ of", "Timestamp <time> of", value)
            value = BASE64.sub(lambda found: self.symbol(found[0]), value)
            for role, (_, port) in self.addresses.items():
                value = re.sub(rf"\b{port}\b", f"<{role} port>", value)
            return re.sub(r"/tmp/[^ ,:)]*", "<dir>", value)
        if isinstance(value, int) and not isinstance(value, bool):
            for role, (_, port) in self.addresses.items():
                if value == port:
                    return f"<{role} port>"
            if name == "sessionId" and value:
                return "<session>"
            if abs(value - self.now) < 86_400_000 and name != "offset":
                return "<now>"
        return value

    @staticmethod
    def symbol(text):
        return text if text == NIL else "<id>"

    # What many scripts need.

    def topic(self, name, partitions=1, configs=None, replicas=1):
        """Creates a topic, waits until it is led and gives its id."""
        body = {"timeoutMs": 10000, "topics": [{"name": name, "numPartitions": partitions, "replicationFactor": replicas,
                "configs": [{"name": k, "value": v} for k, v in (configs or {}).items()]}]}
        answer = self.ask("", "CreateTopics", 7, body, note=False)
        assert answer["topics"][0]["errorCode"] == 0, answer
        for partition in range(partitions):
            for _ in range(200):
                listed = self.ask("", "ListOffsets", 6, note=False, body={"replicaId": -1, "topics": [
                    {"name": name, "partitions": [{"partitionIndex": partition, "timestamp": -1}]}]})
                if listed["topics"][0]["partitions"][0]["errorCode"] == 0:
                    break
                time.sleep(0.05)
        return answer["topics"][0]["topicId"]

    def produce(self, step, topic, records, version=9, acks=-1, note=True, **more):
        return self.ask(step, "Produce", version, note=note, body={"acks": acks, "timeoutMs": 3000, "topicData": [
            {"name": topic, "partitionData": [{"index": 0, "records": records}]}], **more})


def lower_names(schemas):
    """The scripts write a schema's fields with a small first letter, as Kafka's Java does."""
    def rename(fields):
        for field in fields:
            field["name"] = field["name"][0].lower() + field["name"][1:]
            rename(field.get("fields", []))
    for schema in [*schemas.requests.values(), *schemas.responses.values(), *schemas.loose.values()]:
        rename(schema.fields)
        for fields in schema.structs.values():
            rename(fields)


def ask(jar, broker, controller, file, *parts):
    schemas = Schemas(jar)
    lower_names(schemas)
    addresses = [(host, int(port)) for host, _, port in (a.rpartition(":") for a in (broker, controller))]
    pages = {}
    for module in (scripts_wire, scripts_admin, scripts_data, scripts_groups):
        for name, function in vars(module).items():
            title = name.removeprefix("ask_")
            if title == name or parts and not any(part in title for part in parts):
                continue
            script = Script(schemas, *addresses)
            started = time.time()
            try:
                function(script)
            except Exception as error:
                traceback.print_exc()
                script.note("the script broke off", {"error": repr(error)[:300]})
            print(f"{title}: {len(script.steps)} answers, {time.time() - started:.1f} s", flush=True)
            pages[title] = script.steps
    with open(file, "w", encoding="utf-8") as out:
        json.dump(pages, out, indent=1)


SENTENCES = ("errorMessage", "ErrorMessage", "statusDetail")


def flat(path, value):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(f"{path}.{key}", inner)
    elif isinstance(value, list) and value:
        for at, inner in enumerate(value):
            label = inner.get("name") or inner.get("topicName") if isinstance(inner, dict) else None
            yield from flat(f"{path}[{at if label is None else label}]", inner)
    else:
        yield path, value


def compare(kafka_file, klamm_file, accepted_file):
    with open(kafka_file, encoding="utf-8") as one, open(klamm_file, encoding="utf-8") as other:
        kafka, klamm = json.load(one), json.load(other)
    with open(accepted_file, encoding="utf-8") as lines:
        accepted = [re.compile(line.rstrip("\n")) for line in lines if line.strip() and line[0] != "#"]
    answers, found = 0, {}
    for title, steps in kafka.items():
        others = klamm.get(title, [])
        for at, (step, said) in enumerate(steps):
            answers += 1
            other = others[at] if at < len(others) else ["<missing>", {}]
            for path, left, right in differences(step, said, *other):
                asked, _, version = step.rpartition(" v")
                key = (f"{title}: {asked or step} {path}", repr(left), repr(right))
                found.setdefault(key, []).append(version if asked else "")
    differing = {key: versions for key, versions in found.items() if not any(p.search(" ".join(key)) for p in accepted)}
    for (line, left, right), versions in differing.items():
        print(f"{line} v{','.join(versions)}\n    kafka {left}\n    klamm {right}")
    print(f"{answers} answers compared, {len(differing)} differences, {len(found) - len(differing)} accepted")
    sys.exit(1 if differing else 0)


def differences(step, said, other_step, other_said):
    """Leaf by leaf; where one failed and the other did not, that alone. Of a sentence, only whether there is one."""
    if step != other_step:
        return [("step", step, other_step)]
    left, right = ({path: bool(value) if path.endswith(SENTENCES) else value for path, value in flat("", one)}
                   for one in (said, other_said))
    paths = [*left, *(path for path in right if path not in left)]
    found = [(path.lstrip("."), left.get(path, "<absent>"), right.get(path, "<absent>")) for path in paths
             if left.get(path, "<absent>") != right.get(path, "<absent>")]
    failed = [one for one in found if one[0].endswith(("errorCode", "<no answer>"))]
    return failed or found


if __name__ == "__main__":
    {"ask": ask, "compare": compare}[sys.argv[1]](*sys.argv[2:])
