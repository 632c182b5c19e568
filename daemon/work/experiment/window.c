/*
 * What is issued next. Verdicts come before new cases, so that cases end in the order they
 * began; and generation calls are handed over only a few more than may be in flight, so that a
 * judge call never waits behind a long line of them.
 */
#include "daemon/work/experiment/batching.h"
#include "daemon/work/experiment/experiment_run.h"

/* ---- Verdicts ---- */

/* The case's next unit, or past the last. Counted here, and not by `n_unposted`, because a rating may be
 * recorded while the others of its case are still to be asked for. */
static size_t next_unit(const struct open_case *open_case)
{
	const size_t n = case_units(open_case->run);
	size_t i = open_case->next_unit;

	while (i < n && !case_unit_is_due(open_case, i))
		i++;
	return i;
}

/* Of who is asked first; of a panel the judge alone, or what is asked instead. */
static const struct route *scoring_route(const struct experiment_run *run, const struct run_evaluator *evaluator,
					 size_t judge)
{
	const struct model *model = NULL;

	if (evaluator->n_judges > 0)
		model = model_first(run->scorers.items, evaluator->configs + judge, 1, 0);
	if (!model)
		model = model_first(run->scorers.items, evaluator->configs, evaluator->n_configs,
				    evaluator->n_judges);
	return model ? model->route : run->judging_routes[judge];
}

static bool has_room(const struct experiment_run *run, const struct open_case *open_case)
{
	const struct run_spec *spec = run->spec;
	size_t n = spec->n_judges > 1 ? spec->n_judges : 1;
	size_t unit = next_unit(open_case), judge = unit % n;
	const struct run_evaluator *evaluator = measure_evaluator(spec, &spec->measures[unit / n]);

	return route_has_room(&run->base, evaluator && evaluator->n_configs > 0 ?
						  scoring_route(run, evaluator, judge) : run->judging_routes[judge]);
}

static void issue_judgements(struct experiment_run *run)
{
	while (run->base.phase == RUN_RUNNING && run->judging && has_room(run, run->judging) &&
	       run_has_time(&run->base) && run_may_hold(&run->base, RUN_QUESTIONS)) {
		struct open_case *open_case = run->judging;

		judgement_start(open_case);
		if (next_unit(open_case) < case_units(run))
			continue;
		run->judging = open_case->next;
		if (!run->judging)
			run->judging_tail = &run->judging;
	}
}

/* ---- Pages of cases ---- */

static void on_page(struct store_request *request)
{
	struct page *page = container_of(request, struct page, op.request);
	struct experiment_run *run = page->run;

	page->state = PAGE_READY;
	page->next = 0;
	if (run_take_answer(&run->base, request)) {
		run->cursor = page->op.ret_cursor;
		run->read_all = page->op.ret_end;
		/* Going on with a run that is nearly done, most pages are empty. */
		if (page->op.ret_n_cases > 0)
			run->scan = RUN_PAGE_SCAN;
		else if (run->scan < RUN_PAGE_SCAN_MAX)
			run->scan *= 2;
	} else {
		page->op.ret_n_cases = 0;
	}
	run_go_on(&run->base);
}

static void ask_page(struct experiment_run *run, struct page *page)
{
	struct cases_page *op = &page->op;

	*op = (struct cases_page){
		.run_id = run->spec->run_id,
		.n_measures = run->spec->n_measures,
		.n_judges = run->spec->n_judges,
		.with_facts = run->spec->n_evaluators > 0,
		.cursor = run->cursor,
		.scan = run->scan,
	};
	run_expect(&run->base, &op->request, on_page);
	page->run = run;
	page->state = PAGE_ASKED;
	store_cases_page(run->base.host.store, op);
}

/* One page is read while the next one is fetched; a page starts where the one before ended. */
static void ask_pages(struct experiment_run *run)
{
	for (unsigned i = 0; i < 2; i++) {
		struct page *page = &run->pages[(run->page + i) % 2];

		if (page->state == PAGE_ASKED || run->read_all)
			return;
		if (page->state == PAGE_IDLE) {
			ask_page(run, page);
			return;
		}
	}
}

static const struct run_case *peek_case(struct experiment_run *run)
{
	for (;;) {
		struct page *page = &run->pages[run->page];

		if (page->state != PAGE_READY)
			return NULL;
		if (page->next < page->op.ret_n_cases)
			return &page->op.ret_cases[page->next];
		store_request_done(&page->op.request);
		page->state = PAGE_IDLE;
		run->page = (run->page + 1) % 2;
		ask_pages(run);
	}
}

/* ---- Cases ---- */

static bool may_generate(struct experiment_run *run)
{
	const struct model *model = model_first(run->answerers.items, NULL, run->answerers.n, 0);
	const struct route *route = model ? model->route : run->generating;

	if (run->batching)
		return batching_has_room(run->batching) && run_may_spend(&run->base);
	return route_has_room(&run->base, route) && route->handed < route->cap + (route->cap + 1) / 2;
}

static void issue_cases(struct experiment_run *run)
{
	while (run->base.phase == RUN_RUNNING && run->base.n_open < run->window &&
	       run_may_hold(&run->base, RUN_ITEMS)) {
		const struct run_case *row = peek_case(run);
		struct open_case *unanswered;

		if (!row || (row->response_id == 0 && !may_generate(run)))
			break;
		run->pages[run->page].next++;
		unanswered = case_start(run, row);
		if (unanswered)
			case_ask(unanswered);
	}
}

static bool is_read(const struct experiment_run *run)
{
	return run->read_all && run->pages[0].state == PAGE_IDLE && run->pages[1].state == PAGE_IDLE;
}

bool window_issue(struct experiment_run *run)
{
	bool scans = !run->batching || batching_may_scan(run->batching), done = true;

	if (!scans) {
		issue_judgements(run);
	} else if (run_may_spend(&run->base)) {
		issue_judgements(run);
		issue_cases(run);
		issue_judgements(run);
	} else {
		(void)peek_case(run); // whether anything is missing at all
	}
	if (run->batching && !batching_go_on(run->batching, is_read(run)))
		done = false; // and another scan may begin
	if (run->base.phase == RUN_RUNNING && scans)
		ask_pages(run);
	return done && run->base.n_open == 0 && is_read(run);
}
