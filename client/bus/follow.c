#include "client/bus/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/bus/json.h"
#include "client/transport/backoff.h"
#include "proto/limits.h"
#include "proto/record.h"
#include "proto/time_text.h"

#define DELTA_MAX 65536 // of one event

/* A change of state that was told by a signal. */
struct note {
	STAILQ_ENTRY(note) entry; // bus_follow::notes
	int64_t sequence;
	enum task_status status;
	char hold[16];
};

struct bus_follow {
	struct bus_listener listener; // first
	struct bus_follow_options options;
	struct bus_call *call; // under way
	bool dirty; // there is something new
	bool broken; // something could not be told, or asked
	bool wants_logs; // the next page of them
	json_object *task; // the answer to GetTask, while its lines are being read
	int64_t end; // its sequence
	struct bus_follow_position told;
	char *progress; // its text, or NULL
	uint64_t next_usec; // when progress may be told again
	STAILQ_HEAD(, note) notes;
};

static void advance(struct bus_follow *follow);

static void give_up(struct bus_follow *follow, const struct bus_answer *answer)
{
	follow->broken = true;
	follow->options.failed(follow->options.userdata, answer);
}

static void fail(struct bus_follow *follow, enum bus_answer_kind kind)
{
	give_up(follow, &(struct bus_answer){ .kind = kind });
}

/* ---- Events ---- */

/* What an event says beside whose it is. */
struct news {
	int64_t sequence;
	enum task_status status;
	const char *hold;
	const char *lines; // or NULL
	const char *at; // NULL: now
	bool outcome; // what the task has come to
};

static json_object *at_now(void)
{
	struct timespec now;
	char text[TIME_TEXT_SIZE];

	clock_gettime(CLOCK_REALTIME, &now);
	(void) time_format((int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000, text);
	return json_object_new_string(text);
}

static int add_outcome(json_object *event, json_object *task)
{
	static const char *const names[] = { "progress", "error", "result" };
	json_object *value;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		if (json_object_object_get_ex(task, names[i], &value) && value)
			r = json_add_member(event, names[i], json_object_get(value));
	return r;
}

static int write_event(const struct bus_follow *follow, const struct news *news, json_object *event)
{
	int r = bus_json_add(event, "task_id", json_object_new_int64(follow->options.task_id));

	if (r == 0)
		r = bus_json_add(event, "sequence", json_object_new_int64(news->sequence));
	if (r == 0)
		r = bus_json_add(event, "status",
				 json_object_new_string(task_status_name(news->status)));
	if (r == 0 && *news->hold)
		r = bus_json_add(event, "hold", json_object_new_string(news->hold));
	if (r == 0 && news->lines)
		r = bus_json_add(event, "logs_delta", json_object_new_string(news->lines));
	if (r == 0)
		r = bus_json_add(event, "at", news->at ? json_object_new_string(news->at) : at_now());
	if (r == 0 && news->outcome)
		r = add_outcome(event, follow->task);
	return r;
}

/* False without memory. What is terminal frees the follow when it was told. */
static bool tell(struct bus_follow *follow, const struct news *news)
{
	bool terminal = task_status_is_terminal(news->status);
	json_object *event = json_object_new_object();
	bool written = event && write_event(follow, news, event) == 0;

	if (!written) {
		follow->broken = true;
	} else {
		follow->told.told = true;
		follow->told.sequence = news->sequence;
		follow->next_usec = now_usec() + follow->options.interval_usec;
		follow->options.event(follow->options.userdata, event, terminal);
	}
	json_object_put(event);
	return written;
}

static void set_state(struct bus_follow *follow, enum task_status status, const char *hold)
{
	follow->told.status = status;
	if (follow->told.hold != hold)
		snprintf(follow->told.hold, sizeof(follow->told.hold), "%s", hold ? hold : "");
}

/* What was noted up to the sequence. The terminal state comes from the task itself. */
static void tell_notes(struct bus_follow *follow, int64_t sequence)
{
	struct note *note;

	while ((note = STAILQ_FIRST(&follow->notes)) && note->sequence <= sequence) {
		STAILQ_REMOVE_HEAD(&follow->notes, entry);
		if (note->sequence > follow->told.sequence && !task_status_is_terminal(note->status)) {
			set_state(follow, note->status, note->hold);
			(void) tell(follow, &(struct news){ .sequence = note->sequence,
							    .status = note->status,
							    .hold = note->hold });
		}
		free(note);
	}
}

/* ---- Lines ---- */

struct lines {
	FILE *out; // NULL: there are none
	char *text;
	size_t size;
	int64_t sequence;
	const char *at;
};

static void tell_lines(struct bus_follow *follow, struct lines *lines)
{
	if (!lines->out)
		return;
	if (fclose(lines->out) != 0)
		follow->broken = true;
	else
		(void) tell(follow, &(struct news){ .sequence = lines->sequence,
						    .status = follow->told.status,
						    .hold = follow->told.hold,
						    .lines = lines->text,
						    .at = lines->at });
	free(lines->text);
	*lines = (struct lines){ .out = NULL };
}

static void add_line(struct bus_follow *follow, struct lines *lines, json_object *item)
{
	int64_t sequence = bus_json_int(item, "sequence");
	struct note *note = STAILQ_FIRST(&follow->notes);

	if (sequence <= follow->told.after || sequence > follow->end)
		return;
	if ((note && note->sequence < sequence) ||
	    (lines->out && (fflush(lines->out), lines->size > DELTA_MAX)))
		tell_lines(follow, lines);
	tell_notes(follow, sequence);
	if (!lines->out)
		lines->out = open_memstream(&lines->text, &lines->size);
	if (!lines->out) {
		follow->broken = true;
		return;
	}
	fprintf(lines->out, "%s\n", bus_json_text(item, "line"));
	lines->sequence = follow->told.after = sequence;
	lines->at = bus_json_text(item, "at");
}

/* ---- Rounds of questions ---- */

static bool state_differs(const struct bus_follow *follow)
{
	return task_status_from_name(bus_json_text(follow->task, "status")) != follow->told.status ||
	       strcmp(bus_json_text(follow->task, "hold"), follow->told.hold) != 0;
}

static bool keep_progress(struct bus_follow *follow)
{
	json_object *progress = json_object_object_get(follow->task, "progress");
	const char *text = progress ? json_text(progress, NULL) : NULL;

	if (!text || (follow->progress && strcmp(text, follow->progress) == 0))
		return false;
	free(follow->progress);
	follow->progress = strdup(text);
	return true;
}

/* All lines of it were told: now the task itself. */
static void finish_round(struct bus_follow *follow)
{
	struct news news = { .sequence = follow->end, .outcome = true };
	json_object *task = follow->task;
	bool differs;

	tell_notes(follow, follow->end);
	follow->told.after = follow->end;
	differs = state_differs(follow) || follow->end > follow->told.sequence || !follow->told.told;
	differs |= keep_progress(follow);
	set_state(follow, task_status_from_name(bus_json_text(task, "status")),
		  bus_json_text(task, "hold"));
	news.status = follow->told.status;
	news.hold = follow->told.hold;
	if (!follow->broken && task_status_is_terminal(news.status)) {
		news.at = bus_json_text(task, "finished_at");
		if (tell(follow, &news))
			return;
	}
	if (!follow->broken && differs)
		(void) tell(follow, &news);
	if (follow->broken) {
		fail(follow, BUS_ANSWER_LOST); // it goes on behind what was told
		return;
	}
	json_object_put(task);
	follow->task = NULL;
	advance(follow);
}

static void on_logs(void *userdata, struct bus_answer *answer)
{
	struct bus_follow *follow = userdata;
	struct lines lines = { .out = NULL };
	json_object *items;

	follow->call = NULL;
	if (answer->kind != BUS_ANSWER_REPLY) {
		give_up(follow, answer);
		return;
	}
	items = json_object_object_get(answer->parameters, "items");
	if (!json_object_is_type(items, json_type_array)) {
		fail(follow, BUS_ANSWER_BAD);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(items); i++)
		add_line(follow, &lines, json_object_array_get_idx(items, i));
	tell_lines(follow, &lines);
	if (!follow->broken && follow->told.after < follow->end &&
	    *bus_json_text(answer->parameters, "next_cursor")) {
		follow->wants_logs = true;
		advance(follow);
	} else {
		finish_round(follow);
	}
}

/* Events of lines are not the last; so they never show a terminal state. */
static void begin_round(struct bus_follow *follow)
{
	if (!follow->told.told) {
		enum task_status status = task_status_from_name(bus_json_text(follow->task, "status"));

		set_state(follow, task_status_is_terminal(status) ? TASK_STARTED : status, "");
	}
	if (follow->told.after < 0)
		follow->told.after = follow->end;
	if (follow->told.after < follow->end) {
		follow->wants_logs = true;
		advance(follow);
	} else {
		finish_round(follow);
	}
}

/* The task as it is now stands for all that was before. */
static void introduce(struct bus_follow *follow)
{
	follow->told.told = true;
	follow->told.after = follow->told.sequence = follow->end;
	set_state(follow, task_status_from_name(bus_json_text(follow->task, "status")),
		  bus_json_text(follow->task, "hold"));
	(void) keep_progress(follow);
}

/* Lets go of the task first: the callback may free the follow. */
static void show_task(struct bus_follow *follow, bool terminal)
{
	json_object *task = follow->task;

	follow->task = NULL;
	follow->options.task_shown(follow->options.userdata, task, terminal);
	json_object_put(task);
	if (!terminal)
		advance(follow);
}

static void on_task(void *userdata, struct bus_answer *answer)
{
	struct bus_follow *follow = userdata;
	enum task_status status;
	bool terminal;

	follow->call = NULL;
	if (answer->kind != BUS_ANSWER_REPLY) {
		give_up(follow, answer);
		return;
	}
	follow->task = json_object_get(json_object_object_get(answer->parameters, "task"));
	status = task_status_from_name(bus_json_text(follow->task, "status"));
	if (status < 0) {
		fail(follow, BUS_ANSWER_BAD);
		return;
	}
	terminal = task_status_is_terminal(status);
	follow->end = bus_json_int(follow->task, "sequence");
	if (follow->options.mode == BUS_FOLLOW_INTRODUCE && !follow->told.told) {
		introduce(follow);
		show_task(follow, terminal);
	} else if (follow->options.mode != BUS_FOLLOW_END) {
		begin_round(follow);
	} else if (terminal) {
		show_task(follow, /* terminal= */ true);
	} else {
		json_object_put(follow->task);
		follow->task = NULL;
		advance(follow);
	}
}

static int ask(struct bus_follow *follow)
{
	bool *sent = follow->options.sent;
	char text[128];

	follow->options.sent = NULL; // only the first question tells
	if (follow->wants_logs) {
		follow->wants_logs = false;
		snprintf(text, sizeof(text), "{\"id\":%lld,\"after\":%lld,\"limit\":%d}",
			 (long long) follow->options.task_id, (long long) follow->told.after, PAGE_MAX);
		return bus_link_call(follow->options.link, on_logs, follow, NULL,
				     "org.elluminate.ListTaskLogs", text, &follow->call);
	}
	follow->dirty = false;
	snprintf(text, sizeof(text), "{\"id\":%lld}", (long long) follow->options.task_id);
	return bus_link_call(follow->options.link, on_task, follow, sent,
			     "org.elluminate.GetTask", text, &follow->call);
}

static void advance(struct bus_follow *follow)
{
	if (follow->broken || follow->call || !(follow->wants_logs || follow->dirty) ||
	    !follow->options.has_room(follow->options.userdata))
		return;
	if (ask(follow) < 0)
		fail(follow, BUS_ANSWER_LOST);
}

void bus_follow_get_position(const struct bus_follow *follow,
			     struct bus_follow_position *ret_position)
{
	*ret_position = follow->told;
}

void bus_follow_resume(struct bus_follow *follow)
{
	advance(follow);
}

/* ---- Signals ---- */

static void take_note(struct bus_follow *follow, const struct bus_signal *signal)
{
	struct note *note;

	if (follow->options.mode == BUS_FOLLOW_END || signal->sequence <= follow->told.sequence)
		return;
	note = calloc(1, sizeof(*note)); // without memory, the state is told with the task
	if (!note)
		return;
	note->sequence = signal->sequence;
	note->status = task_status_from_name(signal->status);
	snprintf(note->hold, sizeof(note->hold), "%s", signal->hold);
	STAILQ_INSERT_TAIL(&follow->notes, note, entry);
}

static void on_signal(struct bus_listener *listener, const struct bus_signal *signal)
{
	struct bus_follow *follow = (struct bus_follow *) listener;
	bool only_end = follow->options.mode == BUS_FOLLOW_END;

	if (signal->news == BUS_NEWS_STATE)
		take_note(follow, signal);
	if (signal->news == BUS_NEWS_STATE || signal->news == BUS_NEWS_REMOVED)
		follow->dirty = true;
	else if (signal->news == BUS_NEWS_LOG && !only_end && signal->sequence > follow->told.after)
		follow->dirty = true;
	else if (signal->news == BUS_NEWS_PROPERTIES && !only_end && !follow->dirty)
		bus_link_remind(follow->options.link, listener, follow->next_usec + 1);
	advance(follow);
}

/* Progress may be told. */
static void on_due(struct bus_listener *listener)
{
	struct bus_follow *follow = (struct bus_follow *) listener;

	follow->dirty = true;
	advance(follow);
}

/* ---- Life ---- */

int bus_follow_new(const struct bus_follow_options *options, struct bus_follow **ret_follow)
{
	struct bus_follow *follow = calloc(1, sizeof(*follow));
	int r;

	if (!follow)
		return -ENOMEM;
	follow->listener = (struct bus_listener){ .task_id = options->task_id,
						  .signal = on_signal,
						  .due = on_due };
	follow->options = *options;
	follow->told.after = options->after_sequence;
	follow->dirty = !options->task;
	STAILQ_INIT(&follow->notes);
	if (options->position)
		follow->told = *options->position;
	follow->options.position = NULL;
	if (options->task) { // borrowed for this alone
		follow->task = options->task;
		follow->end = bus_json_int(options->task, "sequence");
		introduce(follow);
		follow->task = NULL;
	}
	/* Signals first: what happens after the question is answered is not missed. */
	r = bus_link_listen(options->link, &follow->listener);
	if (r < 0) {
		free(follow->progress);
		free(follow);
		return r;
	}
	if (follow->dirty && (r = ask(follow)) < 0) {
		bus_follow_free(follow);
		return r;
	}
	*ret_follow = follow;
	return 0;
}

struct bus_follow *bus_follow_free(struct bus_follow *follow)
{
	struct note *note;

	if (!follow)
		return NULL;
	bus_call_abandon(follow->call);
	bus_link_ignore(follow->options.link, &follow->listener);
	while ((note = STAILQ_FIRST(&follow->notes))) {
		STAILQ_REMOVE_HEAD(&follow->notes, entry);
		free(note);
	}
	json_object_put(follow->task);
	free(follow->progress);
	free(follow);
	return NULL;
}
