// A language model of random weights in a GGUF file of llama.cpp: one small layer, and a
// vocabulary of single bytes, so that what it says is no text in any language and often no UTF-8.
'use strict'

const fs = require('fs')

const EMBEDDING = 32
const FEED_FORWARD = 64
const HEADS = 2
const CONTEXT = 8192
const ALIGNMENT = 32

const U32 = 4
const I32 = 5
const F32 = 6
const STRING = 8
const ARRAY = 9

const TENSOR_F32 = 0

const TOKEN_NORMAL = 1
const TOKEN_UNKNOWN = 2
const TOKEN_CONTROL = 3
const TOKEN_BYTE = 6

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"

function number(type, value) {
  const bytes = Buffer.alloc(4)
  if (type === F32) bytes.writeFloatLE(value)
  else if (type === I32) bytes.writeInt32LE(value)
  else bytes.writeUInt32LE(value)
  return bytes
}

function long(value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function string(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([long(bytes.length), bytes])
}

function scalar(type, value) {
  return type === STRING ? string(value) : number(type, value)
}

function field(name, type, value) {
  if (!Array.isArray(value))
    return Buffer.concat([string(name), number(U32, type), scalar(type, value)])
  return Buffer.concat([string(name), number(U32, ARRAY), number(U32, type), long(value.length),
    ...value.map((item) => scalar(type, item))])
}

function vocabulary() {
  const bytes = [...Array(256).keys()]
  const name = (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
  return {
    tokens: ['<unk>', '<s>', '</s>', ...bytes.map(name), '\u2581'], // the last is a blank
    types: [TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL, ...bytes.map(() => TOKEN_BYTE),
      TOKEN_NORMAL],
  }
}

function fields(words) {
  return [
    field('general.architecture', STRING, 'llama'),
    field('general.alignment', U32, ALIGNMENT),
    field('llama.context_length', U32, CONTEXT),
    field('llama.embedding_length', U32, EMBEDDING),
    field('llama.block_count', U32, 1),
    field('llama.feed_forward_length', U32, FEED_FORWARD),
    field('llama.attention.head_count', U32, HEADS),
    field('llama.attention.layer_norm_rms_epsilon', F32, 1e-5),
    field('llama.rope.dimension_count', U32, EMBEDDING / HEADS),
    field('llama.vocab_size', U32, words.tokens.length),
    field('tokenizer.ggml.model', STRING, 'llama'),
    field('tokenizer.ggml.tokens', STRING, words.tokens),
    field('tokenizer.ggml.scores', F32, words.tokens.map(() => 0)),
    field('tokenizer.ggml.token_type', I32, words.types),
    field('tokenizer.ggml.unknown_token_id', U32, 0),
    field('tokenizer.ggml.bos_token_id', U32, 1),
    field('tokenizer.ggml.eos_token_id', U32, 2),
    field('tokenizer.chat_template', STRING, CHAT_TEMPLATE),
  ]
}

function tensors(nTokens) {
  const square = [EMBEDDING, EMBEDDING]
  return [
    ['token_embd.weight', [EMBEDDING, nTokens]],
    ['output_norm.weight', [EMBEDDING]],
    ['output.weight', [EMBEDDING, nTokens]],
    ['blk.0.attn_norm.weight', [EMBEDDING]],
    ['blk.0.attn_q.weight', square],
    ['blk.0.attn_k.weight', square],
    ['blk.0.attn_v.weight', square],
    ['blk.0.attn_output.weight', square],
    ['blk.0.ffn_norm.weight', [EMBEDDING]],
    ['blk.0.ffn_gate.weight', [EMBEDDING, FEED_FORWARD]],
    ['blk.0.ffn_up.weight', [EMBEDDING, FEED_FORWARD]],
    ['blk.0.ffn_down.weight', [FEED_FORWARD, EMBEDDING]],
  ]
}

// The same weights each time.
function weights(n, seed) {
  const bytes = Buffer.alloc(Math.ceil((n * 4) / ALIGNMENT) * ALIGNMENT)
  let state = seed
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes.writeFloatLE(state / 2 ** 32 - 0.5, 4 * i)
  }
  return bytes
}

exports.write = (path) => {
  const words = vocabulary()
  const infos = []
  const data = []
  let offset = 0
  for (const [name, shape] of tensors(words.tokens.length)) {
    const bytes = weights(shape.reduce((a, b) => a * b), data.length + 1)
    infos.push(string(name), number(U32, shape.length), ...shape.map(long),
      number(U32, TENSOR_F32), long(offset))
    data.push(bytes)
    offset += bytes.length
  }
  const all = fields(words)
  const head = Buffer.concat([Buffer.from('GGUF'), number(U32, 3), long(data.length),
    long(all.length), ...all, ...infos])
  const padding = Buffer.alloc((ALIGNMENT - (head.length % ALIGNMENT)) % ALIGNMENT)
  fs.writeFileSync(path, Buffer.concat([head, padding, ...data]))
}
