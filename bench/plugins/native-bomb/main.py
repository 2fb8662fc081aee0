#!/usr/bin/env python3
"""A plugin, and hostile, by Python's standard library alone. Each operation takes all it gets, holds it for a moment, so that
whoever watches sees all of it, and lets go."""
import json
import os
import signal
import threading
import time

MIB = 1024 * 1024
HELD_S = 0.02
channel = open(3, 'r+b', buffering=0)
lines = open(3, 'rb', closefd=False)
# A thread's whole stack counts as memory.
threading.stack_size(64 * 1024)


def answer(request, result, payload=None):
    message = {'jsonrpc': '2.0', 'id': request['id'], 'result': result}
    if payload is not None:
        message['payload_bytes'] = len(payload)
    channel.write(json.dumps(message).encode() + b'\n' + (payload or b''))


def native():
    kept = []
    try:
        while True:
            kept.append(bytearray(b'x') * (4 * MIB))
    except MemoryError:
        time.sleep(HELD_S)


def threads():
    free, started = threading.Event(), []
    try:
        while True:
            thread = threading.Thread(target=free.wait)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):
        time.sleep(HELD_S)
    free.set()
    for thread in started:
        thread.join()


def forks():
    children = []
    try:
        while True:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    except OSError:
        time.sleep(HELD_S)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


OPERATIONS = {'ready': lambda: None, 'native': native, 'threads': threads, 'forks': forks}

while line := lines.readline():
    request = json.loads(line)
    lines.read(request.get('payload_bytes', 0))
    if request['method'] == 'execute':
        OPERATIONS[request['params']['operation']]()
        answer(request, None, b'null')
    elif request['method'] == 'initialize':
        answer(request, {'protocol_version': '1.0', 'operations': list(OPERATIONS)})
    elif 'id' in request:
        answer(request, None)
