/*
 * Splits an interface file into words, signs and comments. A comment is a token: the parser
 * decides whether it documents what follows or constrains the field before it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
	TOKEN_END,
	TOKEN_WORD, // a name or keyword
	TOKEN_SIGN, // one of ( ) [ ] : , ? or ->
	TOKEN_COMMENT, // text after `#`, blanks around it removed
};

struct token {
	enum token_kind kind;
	char *text;
	const char *start; // in the file's text
	int line;
	bool first_on_line;
};

struct lexer {
	const char *file;
	const char *at;
	int line;
	bool line_has_token;
	struct token token; // the current one
};

void lexer_init(struct lexer *lexer, const char *file, const char *text);
void lexer_next(struct lexer *lexer);
bool lexer_is(const struct lexer *lexer, const char *text); // a word or sign
void lexer_take(struct lexer *lexer, const char *text); // or die
char *lexer_word(struct lexer *lexer, const char *what); // or die

void idl_die(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/* ---- Memory ----
 *
 * Of a program that runs for a moment: nothing is freed, and lack of memory ends it. */

void *memory_grow(void *items, size_t n, size_t item_size); // room for one more after `n`, zeroed
char *memory_copy(const char *text, size_t length);
/* `text`, and `line` behind it after a '\n' unless `text` is "". */
char *memory_join(const char *text, const char *line);
