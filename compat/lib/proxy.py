"""Stands between the nodes of a cluster, and holds, delays or resets what goes from one to another.

Commands on stdin, each answered by "done" on stdout:

    node NAME PORT TARGET PIDFILE   what comes to PORT is for NAME, which listens on TARGET and runs as that process
    rule FROM TO pass               no such rule any more: bytes from one node to the other go through
    rule FROM TO drop               they are held, as on a network that is cut, and go on when it heals
    rule FROM TO delay MS           they come so much later
    rule FROM TO reset              connections are reset, now and when they are made

FROM and TO are names of nodes, "client" for a process that is none of them, or "*". A rule is for the bytes in one
direction, whoever has opened the connection. Of several rules the last one counts. Who has opened a connection is
read from /proc, because nodes share one address, and only while there are rules, because that is slow.
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


def sockets():
    """The inode of each TCP socket of this machine, by its own port and the one that it is connected to."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                found[int(fields[1].rsplit(":")[-1], 16), int(fields[2].rsplit(":")[-1], 16)] = fields[9]
    return found


def owners():
    """The node that holds each socket, by its inode."""
    found = {}
    for name, pid_file in nodes.items():
        try:
            with open(pid_file) as file:
                directory = f"/proc/{file.read().strip()}/fd"
            for fd in os.listdir(directory):
                link = os.readlink(f"{directory}/{fd}")
                if link.startswith("socket:["):
                    found[link[8:-1]] = name
        except OSError:
            continue  # not running, or closing its files just now
    return found


def identify():
    """Finds out who has opened the connections of which that is not known yet."""
    unknown = [connection for connection in connections if connection.opener is None]
    if unknown:
        inodes, names = sockets(), owners()
        for connection in unknown:
            connection.opener = names.get(inodes.get(connection.ports), "client")


def reset(writer):
    if writer.is_closing():
        return
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Connection:
    """One that a node or a client has opened to a node, and ours from here on to it."""

    def __init__(self, ports, name, writer):
        self.ports = ports
        self.opener = None
        self.name = name
        self.writers = [writer]

    def rule(self, is_back):
        if not rules:
            return "pass", 0
        if self.opener is None:
            identify()
        return rule(self.name, self.opener) if is_back else rule(self.opener, self.name)

    def is_reset(self):
        return "reset" in (self.rule(False)[0], self.rule(True)[0])

    def reset(self):
        for writer in self.writers:
            reset(writer)

    async def receive(self, reader, queue, is_back):
        """What comes, with the time at which it may go on; nothing at its end."""
        loop = asyncio.get_running_loop()
        data = b"."
        while data:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            await queue.put((loop.time() + self.rule(is_back)[1] / 1000, data))

    async def send(self, queue, writer, is_back):
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            async with changed:
                await changed.wait_for(lambda: self.rule(is_back)[0] != "drop")
            if not data:
                writer.close()
                return
            try:
                writer.write(data)
                await writer.drain()
            except OSError:
                return


async def serve(name, port, target, reader, writer):
    connection = Connection((writer.get_extra_info("peername")[1], port), name, writer)
    connections.add(connection)
    there, back = asyncio.Queue(64), asyncio.Queue(64)
    tasks = []
    try:
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", target)
        connection.writers.append(onward)
        if connection.is_reset():
            raise ConnectionResetError
        tasks = [
            asyncio.create_task(connection.receive(reader, there, False)),
            asyncio.create_task(connection.receive(onward_reader, back, True)),
        ]
        await asyncio.gather(connection.send(there, onward, False), connection.send(back, writer, True))
    except OSError:
        connection.reset()
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
        if words[3] != "pass":
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
