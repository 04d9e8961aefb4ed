"""Runs three Python clients against the broker named by BOOTSTRAP and prints one line per check."""
import logging, sys
import harness, common
import aio, confluent, kafka_python

CLIENTS = {c.name: c for c in (confluent, kafka_python, aio)}

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)       # the clients' complaints about the errors that the checks provoke
    if sys.argv[1:2] == ["--member"]:
        common.child_main(CLIENTS[sys.argv[2]], *sys.argv[3:])
    harness.before = lambda: common.warm_up(confluent)
    for client in CLIENTS.values():
        common.add_common(client)
        client.add_own()
    harness.main()
