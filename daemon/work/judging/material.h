/*
 * What a judge is shown of others' words. It stands between tags that carry a code made of the material
 * itself, and what looks like one of these tags inside is escaped: no text can close its own tag.
 *
 * Pure functions; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MATERIAL_CODE_SIZE 17 // 16 hexadecimal digits

/* Counts where `out` is NULL, so that the same code sizes and fills a text. */
struct material {
	char *out;
	size_t size;
	const char *const *names; // of tags, sorted without regard to case: there may be many
	size_t n_names;
	char code[MATERIAL_CODE_SIZE];
};

/* The same material always has the same code, so that a deterministic judge stays one. */
void material_set_code(struct material *material, uint64_t hash);

void material_text(struct material *material, const char *text); // ours, as it is
void material_data(struct material *material, const char *text); // theirs
void material_open(struct material *material, const char *name);
void material_close(struct material *material, const char *name);
void material_section(struct material *material, const char *name, const char *text);
void material_end(struct material *material); // the zero byte
