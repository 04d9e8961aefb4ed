"""Stands between the nodes of a cluster, and holds, delays or resets what goes from one to another.

Commands on stdin, each answered by "done" on stdout:

    node NAME PORT TARGET PIDFILE   what comes to PORT is for NAME, which listens on TARGET and runs as that process
    rule FROM TO pass               bytes from one node to the other go through
    rule FROM TO drop               they are held, as on a network that is cut, and go on when it heals
    rule FROM TO delay MS           they come so much later
    rule FROM TO reset              connections are reset, now and when they are made

FROM and TO are names of nodes, "client" for a process that is none of them, or "*". A rule is for the bytes in one
direction, whoever has opened the connection. Of several rules the last one counts. Who has opened a connection is
read from /proc: nodes share one address.
"""

import asyncio
import os
import socket
import struct
import sys

nodes = {}  # name: pid file
rules = []  # (from, to, what, milliseconds), the latest first
connections = set()
changed = asyncio.Condition()


def rule(sender, receiver):
    for one, other, what, delay in rules:
        if one in (sender, "*") and other in (receiver, "*"):
            return what, delay
    return "pass", 0


def inode(port, target):
    """Of the socket on this machine that goes from one port to the other."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in lines:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{target:04X}"):
                    return fields[9]
    return None


def owner(port, target):
    """The node that has opened this connection."""
    link = f"socket:[{inode(port, target)}]"
    for name, pid_file in nodes.items():
        try:
            with open(pid_file) as file:
                directory = f"/proc/{file.read().strip()}/fd"
            if any(os.readlink(f"{directory}/{fd}") == link for fd in os.listdir(directory)):
                return name
        except OSError:
            continue  # not running, or closing its files just now
    return "client"


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Connection:
    """One that a node or a client has opened to a node, and ours from here on to it."""

    def __init__(self, opener, name, writers):
        self.ends = opener, name
        self.writers = writers

    def is_reset(self):
        return any(rule(*ends)[0] == "reset" for ends in (self.ends, self.ends[::-1]))

    def reset(self):
        for writer in self.writers:
            reset(writer)


async def receive(reader, queue, ends):
    """What comes, with the time at which it may go on; nothing at its end."""
    loop = asyncio.get_running_loop()
    data = b"."
    while data:
        try:
            data = await reader.read(1 << 16)
        except OSError:
            data = b""
        await queue.put((loop.time() + rule(*ends)[1] / 1000, data))


async def send(queue, writer, ends):
    loop = asyncio.get_running_loop()
    while True:
        due, data = await queue.get()
        await asyncio.sleep(max(0, due - loop.time()))
        async with changed:
            await changed.wait_for(lambda: rule(*ends)[0] != "drop")
        if not data:
            writer.close()
            return
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            return


async def serve(name, port, target, reader, writer):
    opener = owner(writer.get_extra_info("peername")[1], port)
    if "reset" in (rule(opener, name)[0], rule(name, opener)[0]):
        return reset(writer)
    try:
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        return reset(writer)
    connection = Connection(opener, name, (writer, onward))
    connections.add(connection)
    there, back = asyncio.Queue(64), asyncio.Queue(64)
    try:
        tasks = [
            asyncio.create_task(receive(reader, there, (opener, name))),
            asyncio.create_task(receive(onward_reader, back, (name, opener))),
        ]
        await asyncio.gather(send(there, onward, (opener, name)), send(back, writer, (name, opener)))
    finally:
        connections.discard(connection)
        for task in tasks:
            task.cancel()
        for one in connection.writers:
            one.close()


async def command(words):
    if words[0] == "node":
        name, port, target, pid_file = words[1], int(words[2]), int(words[3]), words[4]
        nodes[name] = pid_file
        await asyncio.start_server(lambda r, w: serve(name, port, target, r, w), "127.0.0.1", port)
    elif words[0] == "rule":
        rules[:] = [kept for kept in rules if kept[:2] != (words[1], words[2])]
        rules.insert(0, (words[1], words[2], words[3], int(words[4]) if words[3] == "delay" else 0))
        for connection in list(connections):
            if connection.is_reset():
                connection.reset()
        async with changed:
            changed.notify_all()
    else:
        raise ValueError(words[0])


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        try:
            await command(line.decode().split())
            print("done", flush=True)
        except (ValueError, IndexError, OSError) as problem:
            print(f"{type(problem).__name__}: {problem}", flush=True)


asyncio.run(main())
