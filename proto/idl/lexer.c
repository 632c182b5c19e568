#include "proto/idl/lexer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory ---- */

static void *check(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return memory;
}

void *memory_grow(void *items, size_t n, size_t item_size)
{
	char *grown = check(realloc(items, (n + 1) * item_size));

	memset(grown + n * item_size, 0, item_size);
	return grown;
}

char *memory_copy(const char *text, size_t length)
{
	char *copy = check(malloc(length + 1));

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *memory_join(const char *text, const char *line)
{
	size_t a = strlen(text), b = strlen(line);
	char *joined = check(malloc(a + b + 2));

	memcpy(joined, text, a);
	if (a > 0)
		joined[a++] = '\n';
	memcpy(joined + a, line, b + 1);
	return joined;
}

/* ---- Reading ---- */

void idl_die(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void lexer_init(struct lexer *lexer, const char *file, const char *text)
{
	*lexer = (struct lexer) { .file = file, .at = text, .line = 1 };
	lexer_next(lexer);
}

static void skip_blanks(struct lexer *lexer)
{
	for (; *lexer->at == ' ' || *lexer->at == '\t' || *lexer->at == '\n'; lexer->at++)
		if (*lexer->at == '\n') {
			lexer->line++;
			lexer->line_has_token = false;
		}
}

static size_t comment_length(const char **at)
{
	(*at)++;
	while (**at == ' ' || **at == '\t')
		(*at)++;
	size_t length = strcspn(*at, "\n");
	while (length > 0 && isspace((unsigned char) (*at)[length - 1]))
		length--;
	return length;
}

static size_t word_length(const char *at)
{
	size_t length = 0;

	while (isalnum((unsigned char) at[length]) || at[length] == '_' || at[length] == '.')
		length++;
	return length;
}

void lexer_next(struct lexer *lexer)
{
	struct token *token = &lexer->token;
	size_t length;

	skip_blanks(lexer);
	token->start = lexer->at;
	token->line = lexer->line;
	token->first_on_line = !lexer->line_has_token;
	lexer->line_has_token = true;
	if (*lexer->at == '\0') {
		token->kind = TOKEN_END;
		length = 0;
	} else if (*lexer->at == '#') {
		token->kind = TOKEN_COMMENT;
		length = comment_length(&lexer->at);
	} else if (isalpha((unsigned char) *lexer->at)) {
		token->kind = TOKEN_WORD;
		length = word_length(lexer->at);
	} else if (lexer->at[0] == '-' && lexer->at[1] == '>') {
		token->kind = TOKEN_SIGN;
		length = 2;
	} else if (strchr("()[]:,?", *lexer->at)) {
		token->kind = TOKEN_SIGN;
		length = 1;
	} else {
		idl_die(lexer->file, lexer->line, "unexpected character '%c'", *lexer->at);
	}
	token->text = memory_copy(lexer->at, length);
	lexer->at += length;
	if (token->kind == TOKEN_COMMENT)
		lexer->at += strcspn(lexer->at, "\n");
}

bool lexer_is(const struct lexer *lexer, const char *text)
{
	return (lexer->token.kind == TOKEN_WORD || lexer->token.kind == TOKEN_SIGN) &&
	       strcmp(lexer->token.text, text) == 0;
}

void lexer_take(struct lexer *lexer, const char *text)
{
	if (!lexer_is(lexer, text))
		idl_die(lexer->file, lexer->token.line, "'%s' expected before '%s'", text,
			lexer->token.text);
	lexer_next(lexer);
}

char *lexer_word(struct lexer *lexer, const char *what)
{
	char *word = lexer->token.text;

	if (lexer->token.kind != TOKEN_WORD)
		idl_die(lexer->file, lexer->token.line, "%s expected before '%s'", what, word);
	lexer_next(lexer);
	return word;
}
