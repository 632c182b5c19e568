// Filters, sorts and searches the cases, and makes what they hold; without it the page lists them as they are.
"use strict";

// What a case holds is text until it is opened: it is HTML that the page's writer has escaped.
function build(item) {
	const kept = item.querySelector(":scope > noscript");

	if (kept)
		kept.outerHTML = kept.textContent;
}

const marks = { lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" };

function wordsIn(item) {
	const kept = item.querySelector(":scope > noscript");

	if (!kept)
		return item.textContent.toLowerCase();
	return (item.firstElementChild.textContent + "\n" + kept.textContent.replace(/<[^>]*>/g, "\n")
		.replace(/&(#?\w+);/g, (all, name) => marks[name] ?? all)).toLowerCase();
}

document.addEventListener("toggle", event => build(event.target), true);
document.querySelectorAll("details[open]").forEach(build);
for (const list of document.querySelectorAll(".cases")) {
	const cases = [...list.querySelectorAll(".case")];
	if (cases.length < 2)
		continue;
	const form = document.createElement("form");
	const count = document.createElement("p");
	const words = new Map();

	function control(name, element) {
		const label = document.createElement("label");

		label.append(name, element);
		form.append(label);
		return element;
	}

	function choice(name, options) {
		const select = document.createElement("select");

		for (const [value, text] of options)
			select.append(new Option(text, value));
		return control(name, select);
	}

	const search = control("Search", document.createElement("input"));
	search.type = "search";
	const outcomes = JSON.parse(list.dataset.outcomes).map((name, i) => [String(i), name]);
	const outcome = choice("Outcome", [["", "all"], ...outcomes]);
	const criteria = JSON.parse(list.dataset.criteria);
	const failing = choice("Not met", [["", "any criterion"], ...criteria.map((text, i) => [String(i), text])]);
	const order = choice("Order", [["o", "what went wrong first"], ["r", "rows"], ["d", "slowest first"],
		["t", "most tokens first"]]);

	function wordsOf(item) {
		if (!words.has(item))
			words.set(item, wordsIn(item));
		return words.get(item);
	}

	// A few milliseconds at a time, the first cases first: a key never waits for thousands of them.
	let latest = 0;

	function filter() {
		const wanted = search.value.trim().toLowerCase(), mine = ++latest;
		let n = 0, i = 0;

		function some() {
			const until = performance.now() + 10;

			if (mine !== latest)
				return;
			for (; i < cases.length && performance.now() < until; i++) {
				const item = cases[i], data = item.dataset;
				const shown = (!outcome.value || data.o === outcome.value) &&
					(!failing.value || data.v[Number(failing.value)] === "N") &&
					(!wanted || wordsOf(item).includes(wanted));

				if (item.hidden === shown)
					item.hidden = !shown;
				n += shown;
			}
			if (i < cases.length)
				setTimeout(some);
			else
				count.textContent = n + " of " + cases.length + " cases";
		}
		some();
	}

	function sort() {
		const key = order.value, down = key === "d" || key === "t";

		cases.sort((a, b) => {
			const by = (Number(a.dataset[key]) - Number(b.dataset[key])) * (down ? -1 : 1);

			return by || Number(a.dataset.r) - Number(b.dataset.r) || Number(a.dataset.e) - Number(b.dataset.e);
		});
		list.append(...cases);
		filter();
	}

	form.addEventListener("submit", event => event.preventDefault());
	search.addEventListener("input", filter);
	outcome.addEventListener("change", filter);
	failing.addEventListener("change", filter);
	order.addEventListener("change", sort);
	count.setAttribute("role", "status");
	count.className = "soft";
	list.before(form, count);
	filter();
}
