/*
 * The judge: how a verdict on a response is asked for, and how it is read out of the answer.
 *
 * Request, response and criterion are data. They stand between tags that carry a code made
 * of the data itself, and what looks like one of these tags inside is escaped: no response can
 * close its own tag. A verdict counts only where it is the only one.
 *
 * Pure functions; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"

#define JUDGE_VERSION "1" // of the wording; a response is only compared with its like

struct judge_question {
	const struct ellu_message *const *request; // rendered
	size_t n_request; // 0: it is not known
	const char *response;
	const char *criterion; // rendered
	bool detailed; // a reasoning first
};

bool judge_knows_version(const char *rating_version);

/* The messages that ask for the verdict. -E2BIG: they would take more than QUESTION_BYTES_MAX;
 * -ENOMEM. */
int judge_ask(const struct judge_question *question, struct arena *arena,
	      const struct ellu_message *const **ret_messages, size_t *ret_n_messages);

/* The same once more behind an answer that held no verdict. */
int judge_ask_again(const struct ellu_message *const *messages, size_t n_messages,
		    const char *answer, bool detailed, struct arena *arena,
		    const struct ellu_message *const **ret_messages, size_t *ret_n_messages);

/* The JSON schema of the answer. */
const char *judge_response_format(bool detailed);

struct judge_verdict {
	int value; // 1 YES, 0 NO
	const char *reasoning; // or NULL
};

/* Reads one JSON object, alone, fenced or inside other text, or a bare YES or NO. -EBADMSG: no
 * verdict, or several that differ; -ENOMEM. */
int judge_parse(const char *answer, struct arena *arena, struct judge_verdict *ret_verdict);
