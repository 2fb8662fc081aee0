import { Answer, Json, log, ok, operation } from './phantom/phantom'

export * from './phantom/exports'

operation('greet', (input: Json): Answer => {
  const name = input.get('name').toText()
  log.info('greeting ' + name)
  return ok(Json.object().setText('message', 'Hello, ' + name + '!'))
})
