// OpenAI's library for JavaScript through the front's pass-through.
// openai_test.mjs BASE-URL ENDPOINT-URL
import assert from "node:assert/strict";
import OpenAI from "openai";

const [, , baseURL, endpoint] = process.argv;
const client = new OpenAI({ baseURL, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }];

const control = (settings) => fetch(endpoint + "/control", { method: "POST", body: JSON.stringify(settings) });
const stats = async () => (await fetch(endpoint + "/stats")).json();

const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert(models.includes("local"));

const answer = await client.chat.completions.create({ model: "local", messages, temperature: 0.5 });
assert(answer.choices[0].message.content);

let text = "";
for await (const chunk of await client.chat.completions.create({ model: "local", messages, stream: true }))
	text += chunk.choices[0].delta.content ?? "";
assert.equal(text, answer.choices[0].message.content);

await control({ call_tools: true });
const runner = client.chat.completions.stream({ model: "local", messages, tools });
const call = (await runner.finalMessage()).tool_calls[0];
assert.equal(call.function.name, "get_weather");
JSON.parse(call.function.arguments);
await control({ call_tools: false });

const vectors = await client.embeddings.create({ model: "local", input: ["one", "two"] });
assert.equal(vectors.data.length, 2);
assert(vectors.data[1].embedding.every(Number.isFinite));

await assert.rejects(client.chat.completions.create({ model: "nowhere", messages }), (error) =>
	error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
await assert.rejects(client.chat.completions.create({ model: "local", messages, n: 2 }), (error) =>
	error instanceof OpenAI.BadRequestError && error.param === "n");

// Who stops listening ends the call at its provider.
const before = (await stats()).closed_early;
await control({ stream_delta_seconds: 0.05, fixed_answer: "word ".repeat(2000) }); // some minutes
const stream = await client.chat.completions.create({ model: "local", messages, stream: true });
for await (const chunk of stream) {
	assert.equal(chunk.choices[0].delta.role, "assistant");
	break;
}
stream.controller.abort();
while ((await stats()).closed_early === before) await new Promise((done) => setTimeout(done, 10));
