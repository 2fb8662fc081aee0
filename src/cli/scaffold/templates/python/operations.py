"""Each gets its input and its call, and returns what JSON can hold. An exception is a failed call, in its words."""


def greet(data, call):
    call.log('info', f'greeting {data["name"]}')
    return {'message': f'Hello, {data["name"]}!'}


OPERATIONS = {'greet': greet}
