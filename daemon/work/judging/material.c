#include "daemon/work/judging/material.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void material_set_code(struct material *material, uint64_t hash)
{
	snprintf(material->code, sizeof(material->code), "%016" PRIx64, hash);
}

static void write_bytes(struct material *material, const char *bytes, size_t size)
{
	if (material->out)
		memcpy(material->out + material->size, bytes, size);
	material->size += size;
}

void material_text(struct material *material, const char *text)
{
	write_bytes(material, text, strlen(text));
}

void material_end(struct material *material)
{
	write_bytes(material, "", 1);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

struct word {
	const char *at;
	size_t size;
};

static int compare_name(const void *key, const void *item)
{
	const struct word *word = key;
	const char *name = *(const char *const *)item;
	int r = strncasecmp(word->at, name, word->size);

	return r != 0 ? r : name[word->size] ? -1 : 0;
}

/* Whether `at`, a `<`, starts what a reader could take for one of the tags: names are of letters, digits
 * and underscores. */
static bool looks_like_tag(const struct material *material, const char *at)
{
	struct word word;

	at = skip_blanks(at + 1);
	if (*at == '/')
		at = skip_blanks(at + 1);
	word.at = at;
	while (isalnum((unsigned char)*at) || *at == '_')
		at++;
	word.size = (size_t)(at - word.at);
	return *at == '-' && bsearch(&word, material->names, material->n_names, sizeof(*material->names),
				     compare_name);
}

void material_data(struct material *material, const char *text)
{
	const char *at = text;

	while ((at = strchr(at, '<'))) {
		if (looks_like_tag(material, at)) {
			write_bytes(material, text, (size_t)(at - text));
			material_text(material, "&lt;");
			text = at + 1;
		}
		at++;
	}
	material_text(material, text);
}

static void write_tag(struct material *material, const char *start, const char *name)
{
	material_text(material, start);
	material_text(material, name);
	material_text(material, "-");
	material_text(material, material->code);
	material_text(material, ">");
}

void material_open(struct material *material, const char *name)
{
	write_tag(material, "<", name);
	material_text(material, "\n");
}

void material_close(struct material *material, const char *name)
{
	write_tag(material, "\n</", name);
}

void material_section(struct material *material, const char *name, const char *text)
{
	material_open(material, name);
	material_data(material, text);
	material_close(material, name);
}
