// llama.cpp behind POST /v1/chat/completions: `node server.js FOLDER`, where FOLDER/node_modules
// has @fugood/llama.node. Says its port on descriptor 3 once it listens.
'use strict'

const fs = require('fs')
const http = require('http')
const path = require('path')
const model = require('./model.js')

const CONTEXT = 8192
const SLOTS = 4

const folder = process.argv[2]
const { loadModel } = require(path.join(folder, 'node_modules/@fugood/llama.node'))

let calls = 0

async function complete(context, request) {
  const limit = request.max_tokens || 128
  const { promise } = await context.parallel.completion({
    messages: request.messages,
    n_predict: limit,
    temperature: request.temperature ?? 1,
    ...(request.response_format && { response_format: request.response_format }),
    seed: ++calls,
  })
  const result = await promise
  const nRead = result.timings.cache_n + result.timings.prompt_n
  return {
    id: `chatcmpl-${calls}`,
    object: 'chat.completion',
    model: request.model,
    choices: [{
      index: 0,
      message: { role: 'assistant', content: result.content ?? '' },
      finish_reason: result.tokens_predicted < limit ? 'stop' : 'length',
    }],
    usage: {
      prompt_tokens: nRead,
      completion_tokens: result.tokens_predicted,
      total_tokens: nRead + result.tokens_predicted,
    },
    timings: result.timings,
  }
}

function respond(response, status, content) {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(content))
}

function refuse(response, status, message) {
  respond(response, status, { error: { message, type: 'server_error', code: null } })
}

async function body(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return JSON.parse(Buffer.concat(parts).toString())
}

async function serve(context, request, response) {
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions')
    return refuse(response, 404, 'There is nothing here.')
  try {
    const asked = await body(request)
    respond(response, 200, await complete(context, asked))
  } catch (error) {
    refuse(response, 500, error.message)
  }
}

async function main() {
  const file = path.join(folder, 'model.gguf')
  model.write(file)
  const context = await loadModel({ model: file, n_ctx: CONTEXT, n_threads: 1, n_parallel: SLOTS })
  await context.parallel.enable({ n_parallel: SLOTS })
  const server = http.createServer((request, response) => serve(context, request, response))
  server.listen(0, '127.0.0.1', () => {
    fs.writeSync(3, `${server.address().port}\n`)
  })
}

main()
