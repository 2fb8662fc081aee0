"""Contract Runner on descriptor 3, with the standard library alone. docs/runner-protocol.md says what goes over it."""
import errno
import json
import queue
import threading

ERRORS = {'fault': -34001, 'operation_not_found': -34003, 'cancelled': -34004,
          'out_of_memory': -34005, 'access_denied': -34007}
# What was not granted is not there, or closed, or may not be written.
NOT_GRANTED = {errno.ENOENT: 'FileSystemRead', errno.EACCES: 'FileSystemRead', errno.EPERM: 'FileSystemRead',
               errno.EROFS: 'FileSystemWrite'}
LEVELS = ['debug', 'info', 'warn', 'error']
MAX_TEXT_CHARS = 8192

threading.stack_size(512 * 1024)  # a thread's stack counts as memory, all of it


class Refused(Exception):
    """A failure with one of the names above."""

    def __init__(self, name, message, **details):
        super().__init__(message)
        self.name, self.details = name, details


class Call:
    """What an operation, or the handler of a message, may ask and tell while it runs."""

    def __init__(self, wire, id, params):
        self._wire, self._id, self._cancelled = wire, id, threading.Event()
        # Of a message. A sender is the daemon's word where the origin is 'plugin'.
        self.sender, self.origin, self.message_id = (params.get(key) for key in ('sender', 'origin', 'message_id'))
        started = wire.started
        self.config, self.workspace, self.data_dir = started['config'], started['workspace'], started['data_dir']
        self.execution_id = started['execution_id_prefix'] + base36(id)

    def log(self, level, message):
        if level not in LEVELS:
            raise ValueError(f'Cannot log: the level is {level!r}, expected one of {", ".join(LEVELS)}')
        if LEVELS.index(level) >= LEVELS.index(self._wire.started['log_level']):
            params = {'level': level, 'message': str(message)[:MAX_TEXT_CHARS], 'execution_id': self.execution_id}
            self._wire.send({'method': 'log', 'params': params})

    def progress(self, fraction, message=''):
        params = {'id': self._id, 'fraction': fraction, 'message': message}
        self._wire.send({'method': 'progress', 'params': params})

    def sleep(self, seconds):
        """Ends at once with the call when that is cancelled."""
        if self._cancelled.wait(seconds):
            raise Refused('cancelled', 'The operation ended because its call was cancelled')

    def send_message(self, recipient, type, payload=None):
        """Its id, as soon as it waits for that plugin. A failure says why it is not taken."""
        return self._wire.ask('send_message', {'recipient': recipient, 'type': type}, payload)['message_id']

    @property
    def is_cancelled(self):
        return self._cancelled.is_set()

    def cancel(self):
        self._cancelled.set()


class Wire:
    def __init__(self, operations, messages):
        self.started = {}
        self._operations, self._messages = operations, messages
        self._incoming = open(3, 'rb', closefd=False)
        self._outgoing = open(3, 'wb', closefd=False)
        self._sending = threading.Lock()
        self._calls = {}
        self._questions = {}
        self._asked = 0

    def serve(self):
        while line := self._incoming.readline():
            message = json.loads(line)
            payload = self._incoming.read(message['payload_bytes']) if 'payload_bytes' in message else b'null'
            method, id, params = message.get('method'), message.get('id'), message.get('params', {})
            if method is None:
                self._questions.pop(id).put(message)
            elif method in ('execute', 'message'):
                self._calls[id] = Call(self, id, params)
                threading.Thread(target=self._run, args=(id, method, params, payload), daemon=True).start()
            elif method == 'cancel':
                call = self._calls.get(params['id'])
                if call is not None:
                    call.cancel()
            else:
                self.send({'id': id, 'result': self._answer(method, params)})
                if method == 'shutdown':
                    break

    def _answer(self, method, params):
        if method == 'initialize':
            self.started = params
            return {'protocol_version': '1.2', 'operations': list(self._operations), 'hooks': [],
                    'messages': list(self._messages)}
        return None  # ping, shutdown

    def _run(self, id, method, params, payload):
        try:
            answer = [{'id': id, 'result': None}]
            if method == 'message':
                self._messages[params['type']](json.loads(payload), self._calls[id])
            else:
                answer.append(encode(self._execute(params['operation'], json.loads(payload), self._calls[id])))
        except Refused as error:
            answer = [failure(id, error.name, error, error.details)]
        except OSError as error:
            permission = NOT_GRANTED.get(error.errno) if error.filename is not None else None
            # The daemon knows what it granted, and leaves the rest as the plugin's own failure.
            details = {'permission': permission, 'resource': str(error.filename)} if permission else {}
            answer = [failure(id, 'access_denied' if permission else 'fault', error, details)]
        except MemoryError as error:
            answer = [failure(id, 'out_of_memory', error)]
        except Exception as error:
            answer = [failure(id, 'fault', error, {'name': type(error).__name__})]
        except BaseException as error:  # sys.exit() ends a thread alone, and its call wants an answer
            answer = [failure(id, 'fault', f'{type(error).__name__}: {error}')]
        del self._calls[id]
        self.send(*answer)

    def _execute(self, name, data, call):
        operation = self._operations.get(name)
        if operation is None:
            raise Refused('operation_not_found', f'Cannot run "{name}": there is no such operation')
        return operation(data, call)

    def ask(self, method, params, payload):
        """What the daemon answers; the thread that serves reads it."""
        answers = queue.SimpleQueue()
        with self._sending:
            self._asked += 1
            id = self._asked
        self._questions[id] = answers
        self.send({'id': id, 'method': method, 'params': params}, encode(payload))
        answer = answers.get()
        if 'error' in answer:
            raise Refused('fault', answer['error']['message'], code=answer['error']['data']['name'])
        return answer['result']

    def send(self, message, payload=b''):
        message = {'jsonrpc': '2.0', **message}
        if payload:
            message['payload_bytes'] = len(payload)  # the last member of its line
        with self._sending:
            self._outgoing.write(encode(message) + b'\n' + payload)
            self._outgoing.flush()


def failure(id, name, error, details={}):
    message = str(error) or type(error).__name__
    return {'id': id, 'error': {'code': ERRORS[name], 'message': message[:MAX_TEXT_CHARS],
                                'data': {'name': name, 'details': details}}}


def encode(value):
    return json.dumps(value, allow_nan=False).encode()


def base36(number):
    digits = '0123456789abcdefghijklmnopqrstuvwxyz'
    return digits[number] if number < 36 else base36(number // 36) + digits[number % 36]


def serve(operations, messages={}):
    Wire(operations, messages).serve()
