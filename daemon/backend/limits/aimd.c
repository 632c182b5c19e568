#include "daemon/backend/limits/aimd.h"

#define WINDOW_MIN 8
#define LATENCY_RISE_USEC INT64_C(50000) // what is less is noise
#define GROWTH_PAUSE 4 // windows after latency took its tenth
#define PATIENCE 24 // pauses, after a refusal

void aimd_set(struct aimd *aimd, int start, int most)
{
	aimd->most = most;
	if (!aimd->shrunk)
		aimd->working = start;
	else if (aimd->working > most)
		aimd->working = most;
}

int aimd_limit(const struct aimd *aimd)
{
	int working = (int)aimd->working;

	return working < aimd->most ? working : aimd->most;
}

static void end_window(struct aimd *aimd, int in_flight)
{
	aimd->window_n = 0;
	aimd->window_usec = 0;
	aimd->was_full = in_flight >= aimd_limit(aimd);
}

static void shrink(struct aimd *aimd, double working, int in_flight)
{
	aimd->working = working > 1 ? working : 1;
	aimd->shrunk = true;
	end_window(aimd, in_flight);
}

/* It was not the number. */
static void restore(struct aimd *aimd)
{
	if (aimd->working < aimd->before)
		aimd->working = aimd->before;
	aimd->before = 0;
}

/* So many went through at once. */
static void prove(struct aimd *aimd, int in_flight)
{
	if (aimd->proven < in_flight)
		aimd->proven = in_flight;
	if (aimd->working < in_flight)
		aimd->working = in_flight < aimd->most ? in_flight : aimd->most;
}

static void grow(struct aimd *aimd, int64_t now_usec)
{
	if (aimd->growth_pause > 0) {
		aimd->growth_pause--;
		return;
	}
	if (!aimd->was_full || aimd->working >= aimd->most || now_usec < aimd->grow_usec)
		return;
	aimd->working += 1;
	if (aimd->working >= aimd->most) {
		aimd->working = aimd->most;
		aimd->shrunk = false;
	}
}

void aimd_issued(struct aimd *aimd, int in_flight)
{
	if (in_flight >= aimd_limit(aimd))
		aimd->was_full = true;
}

bool aimd_succeeded(struct aimd *aimd, int among, int64_t latency_usec, int in_flight,
		    int64_t now_usec)
{
	int64_t mean_usec;

	if (aimd->wall == 0)
		restore(aimd);
	/* Of those that are in flight some may still be refused, as some were when it began. */
	prove(aimd, among <= in_flight ? among : in_flight + 1);
	aimd->window_usec += latency_usec;
	aimd->window_n++;
	if (aimd->window_n < WINDOW_MIN || aimd->window_n < aimd_limit(aimd))
		return false;
	mean_usec = aimd->window_usec / aimd->window_n;
	if (aimd->best_usec > 0 && mean_usec > 2 * aimd->best_usec &&
	    mean_usec > aimd->best_usec + LATENCY_RISE_USEC) {
		aimd->best_usec = mean_usec;
		aimd->growth_pause = GROWTH_PAUSE;
		shrink(aimd, aimd->working * 0.9, in_flight);
		return false;
	}
	if (aimd->best_usec == 0 || mean_usec < aimd->best_usec)
		aimd->best_usec = mean_usec;
	grow(aimd, now_usec);
	end_window(aimd, in_flight);
	return true;
}

void aimd_failed(struct aimd *aimd, int in_flight)
{
	end_window(aimd, in_flight);
}

void aimd_refused(struct aimd *aimd, int among, int in_flight, int64_t now_usec)
{
	if (aimd->refused_usec == 0) {
		aimd->refused_usec = now_usec;
		aimd->number_ruled_out = among == 1 || among <= aimd->proven;
	}
	aimd->left = in_flight;
}

/* Numbers as they come out where calls end and are refused at about the same time. */
static bool about_same(int a, int b)
{
	int difference = a > b ? a - b : b - a;

	return difference <= 1 || 10 * difference <= b;
}

static void refuse(struct aimd *aimd, double working, int in_flight)
{
	if (aimd->before < aimd->working)
		aimd->before = aimd->working;
	shrink(aimd, working, in_flight);
}

static enum refusal_cause cause_of(struct aimd *aimd)
{
	int wall = aimd->wall;

	if (aimd->refused_usec == 0)
		return CAUSE_NONE;
	aimd->wall = aimd->left;
	if (aimd->left == 0 && aimd->proven == 0)
		return CAUSE_UNKNOWN;
	if (aimd->number_ruled_out)
		return CAUSE_RATE;
	if (wall == 0)
		return CAUSE_UNKNOWN;
	return about_same(aimd->left, wall) ? CAUSE_NUMBER : CAUSE_RATE;
}

enum refusal_cause aimd_resumed(struct aimd *aimd, int in_flight, int64_t now_usec)
{
	enum refusal_cause cause = cause_of(aimd);

	if (cause == CAUSE_NUMBER && aimd->wall < aimd_limit(aimd))
		refuse(aimd, aimd->wall, in_flight);
	else if (cause == CAUSE_UNKNOWN && aimd->wall == 0)
		refuse(aimd, aimd_limit(aimd) / 2, in_flight);
	else if (cause == CAUSE_RATE)
		restore(aimd);
	if (cause == CAUSE_NUMBER)
		aimd->grow_usec = now_usec + PATIENCE * (now_usec - aimd->refused_usec);
	aimd->refused_usec = 0;
	aimd->proven = 0;
	prove(aimd, in_flight);
	return cause;
}
