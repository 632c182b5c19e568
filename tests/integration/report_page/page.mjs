// page.mjs CHROMIUM AXE PAGE [FOLDER]: opens a report in a headless browser and prints, as JSON, what went wrong in
// it: the title (a script in an answer would change it), errors of the console, what axe finds serious in light and
// dark, wide and narrow; and how long opening it and a key in the search take. With FOLDER, pictures of all
// that, and the printed page. AXE is `-` where that is not asked, as it takes minutes for thousands of cases.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [chromium, axe, page, folder] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "report-page-"));
const browser = spawn(chromium, ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
	"--no-first-run", "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${profile}`,
	"about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const errors = [], waiting = new Map();
let lastId = 0, rest = "", session, loaded;

browser.stdio[4].on("data", data => {
	const messages = (rest + data).split("\0");

	rest = messages.pop();
	for (const text of messages)
		take(JSON.parse(text));
});

function take(message) {
	if (message.id) {
		const { done, failed } = waiting.get(message.id);

		waiting.delete(message.id);
		message.error ? failed(new Error(message.error.message)) : done(message.result);
	} else if (message.method === "Runtime.exceptionThrown") {
		errors.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
	} else if (message.method === "Runtime.consoleAPICalled" && message.params.type === "error") {
		errors.push(JSON.stringify(message.params.args));
	} else if (message.method === "Log.entryAdded" && message.params.entry.level === "error") {
		errors.push(message.params.entry.text);
	} else if (message.method === "Page.javascriptDialogOpening") {
		errors.push("a dialog: " + message.params.message);
		send("Page.handleJavaScriptDialog", { accept: true });
	} else if (message.method === "Page.loadEventFired") {
		loaded?.();
	}
}

function send(method, params = {}) {
	const id = ++lastId;

	browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId: session }) + "\0");
	return new Promise((done, failed) => waiting.set(id, { done, failed }));
}

async function evaluate(expression) {
	const { result, exceptionDetails } = await send("Runtime.evaluate",
		{ expression, awaitPromise: true, returnByValue: true });

	if (exceptionDetails)
		throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
	return result.value;
}

// What the page's own thread has had of a processor, whatever else the machine does.
async function processorMs() {
	const { metrics } = await send("Performance.getMetrics");

	return Math.round(metrics.find(metric => metric.name === "TaskDuration").value * 1000);
}

// Not as a phone has it, which shrinks what is too wide until it fits.
async function show(scheme, width) {
	await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
	await send("Emulation.setDeviceMetricsOverride", { width, height: 1400, deviceScaleFactor: 1, mobile: false });
	await evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

async function picture(name) {
	const { data } = await send("Page.captureScreenshot", {});

	writeFileSync(join(folder, name + ".png"), Buffer.from(data, "base64"));
}

// What a person with a keyboard or a screen reader, or with weak eyes, would stumble over.
async function stumbles() {
	const found = await evaluate("axe.run(document, { resultTypes: ['violations'] }).then(r => JSON.stringify(" +
		"r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')" +
		".map(v => `${v.id}: ${v.nodes.length} of ${v.nodes[0].html}`)))");

	return JSON.parse(found);
}

const looks = [["light", 1280], ["dark", 1280], ["light", 380], ["dark", 380]];

async function run() {
	const { targetId } = await send("Target.createTarget", { url: "about:blank" });
	const report = { serious: [] };

	({ sessionId: session } = await send("Target.attachToTarget", { targetId, flatten: true }));
	await Promise.all(["Page", "Runtime", "Log"].map(domain => send(domain + ".enable")));
	await send("Performance.enable", { timeDomain: "threadTicks" });
	const load = new Promise(done => { loaded = done; });
	await send("Page.navigate", { url: pathToFileURL(resolve(page)).href });
	await load;
	report.openMs = await evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))");
	report.openCpuMs = await processorMs();
	report.cases = await evaluate("document.querySelectorAll('.case').length");
	report.wide = await evaluate("document.documentElement.scrollWidth <= innerWidth");
	// Each key until the next picture; the last finds nothing, and the first takes all texts in.
	report.keyMs = await evaluate(`(async () => {
		const search = document.querySelector("input[type=search]"), times = [];
		for (const text of search ? ["t", "to", "top", "top no such thing", ""] : []) {
			const begun = performance.now();
			search.value = text;
			search.dispatchEvent(new Event("input"));
			await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
			times.push(Math.round(performance.now() - begun));
		}
		return times;
	})()`);
	await evaluate("document.querySelector('.case')?.setAttribute('open', '')");
	if (axe !== "-")
		await evaluate(readFileSync(axe, "utf8") + "; 0");
	for (const [scheme, width] of looks) {
		await show(scheme, width);
		if (folder)
			await picture(`${scheme}-${width}`);
		if (!(await evaluate("document.documentElement.scrollWidth <= innerWidth")))
			errors.push(`${width} pixels are too narrow`);
		if (axe !== "-")
			report.serious.push(...(await stumbles()).map(text => `${scheme}, ${width} pixels: ${text}`));
	}
	if (folder) {
		await show("light", 1280);
		await send("Emulation.setEmulatedMedia", { media: "print" });
		await picture("print");
		const { data } = await send("Page.printToPDF", { printBackground: false, paperWidth: 8.27, paperHeight: 11.69 });

		writeFileSync(join(folder, "print.pdf"), Buffer.from(data, "base64"));
	}
	report.title = await evaluate("document.title");
	report.errors = errors;
	console.log(JSON.stringify(report));
}

browser.once("error", error => { throw error; });
try {
	await run();
} finally {
	browser.kill();
	await new Promise(done => browser.exitCode === null && browser.signalCode === null ? browser.once("exit", done) : done());
	try {
		rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
	} catch (error) {
		// Processes that it leaves behind for a moment may still write there.
		if (error.code !== "ENOTEMPTY")
			throw error;
	}
}
