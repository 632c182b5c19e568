/*
 * The hard limits that both sides hold. What the interface files say as well (names, pages) is
 * held against them by a unit test.
 */
#pragma once

#include <stdint.h>

/* A message on the wire, either way, without its final NUL. */
#define MESSAGE_SIZE_MAX (16u * 1024 * 1024)

/* Arrays and objects inside each other, the outermost counted. */
#define JSON_DEPTH_MAX 64
/* The same in an object of the caller's own, such as a row: in replies it stands deeper than in
 * requests. */
#define OBJECT_DEPTH_MAX 48

/* Values of all kinds in one text. json-c spends about VALUE_BYTES on each: no value and no item
 * of a list counts for less where bytes are limited. */
#define JSON_VALUES_MAX 1000000
#define VALUE_BYTES 64

/* Integers lie within plus and minus 2^53: every JSON parser keeps them exact. */
#define INTEGER_MAX INT64_C(9007199254740992)

/* Characters (not bytes) of the name of a resource. */
#define NAME_MAX_CHARS 200

/* Items of a page: when the caller does not say, and at most. */
#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

/* Of how many epochs progress tells: what changes often, and goes to many, stays small. */
#define EPOCHS_TOLD_MAX 64

/* A page ends when its items take as much, whatever their number. */
#define PAGE_BYTES_MAX (4u * 1024 * 1024)

/* Rows and their bytes in one call that adds rows. */
#define ROWS_MAX 1000
#define ROWS_BYTES_MAX (4u * 1024 * 1024)

/* Answers that were made elsewhere, verdicts and edits in one call that adds them. */
#define MADE_MAX 2000

/* All texts of a prompt template; of the criteria of a run; of an LLM config. */
#define TEMPLATE_BYTES_MAX (1024u * 1024)
#define CRITERIA_BYTES_MAX (512u * 1024)
#define CONFIG_BYTES_MAX (256u * 1024)

/* All texts of a prompt template when it is rendered for a row; of a criterion. What takes more is
 * not made: its item fails with TooLarge. The same for what is asked at once, images and all. */
#define RENDERED_BYTES_MAX (4u * 1024 * 1024)
/* What a judge reads at once: request, response and criterion. */
#define QUESTION_BYTES_MAX (8u * 1024 * 1024)

/* Messages of a cell of type `conversation`. */
#define CONVERSATION_MAX 1000

/* A longer text of a model makes its item fail with TooLarge. */
#define RESPONSE_TEXT_MAX (2u * 1024 * 1024)

/* A line of a task's log, cut at a character. */
#define LOG_LINE_MAX 1024

/* Sockets that were handed over on the system's bus and not used yet, in all and of one user. A bus
 * does not take our messages while 64 descriptors of ours wait there for who does not fetch them. */
#define UNUSED_SOCKETS_MAX 48
#define UNUSED_SOCKETS_PER_USER_MAX 16

/* Judges of one rating, whose verdicts come to one. */
#define JUDGES_MAX 8

/* Configs that are asked in turn where one cannot answer. */
#define FALLBACKS_MAX 7
