// Filters, sorts and searches the cases; without it the page only lists them.
"use strict";
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
			words.set(item, item.textContent.toLowerCase());
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
