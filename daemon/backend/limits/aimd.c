#include "daemon/backend/limits/aimd.h"

#define WINDOW_MIN 8
#define LATENCY_RISE_USEC INT64_C(50000) // what is less is noise
#define GROWTH_PAUSE 4 // windows after latency took its tenth

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

static void shrink(struct aimd *aimd, double working, int in_flight, int64_t now_usec)
{
	aimd->working = working > 1 ? working : 1;
	aimd->shrunk = true;
	aimd->shrunk_usec = now_usec;
	end_window(aimd, in_flight);
}

static void grow(struct aimd *aimd)
{
	if (aimd->growth_pause > 0) {
		aimd->growth_pause--;
		return;
	}
	if (!aimd->was_full || aimd->working >= aimd->most)
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

bool aimd_succeeded(struct aimd *aimd, int64_t latency_usec, int in_flight, int64_t now_usec)
{
	int64_t mean_usec;

	aimd->window_usec += latency_usec;
	aimd->window_n++;
	if (aimd->window_n < WINDOW_MIN || aimd->window_n < aimd_limit(aimd))
		return false;
	mean_usec = aimd->window_usec / aimd->window_n;
	if (aimd->best_usec > 0 && mean_usec > 2 * aimd->best_usec &&
	    mean_usec > aimd->best_usec + LATENCY_RISE_USEC) {
		aimd->best_usec = mean_usec;
		aimd->growth_pause = GROWTH_PAUSE;
		shrink(aimd, aimd->working * 0.9, in_flight, now_usec);
		return false;
	}
	if (aimd->best_usec == 0 || mean_usec < aimd->best_usec)
		aimd->best_usec = mean_usec;
	grow(aimd);
	end_window(aimd, in_flight);
	return true;
}

void aimd_failed(struct aimd *aimd, int in_flight)
{
	end_window(aimd, in_flight);
}

void aimd_refused(struct aimd *aimd, int64_t started_usec, int in_flight, int64_t now_usec)
{
	/* All that were under way when the first was refused mean the same. */
	if (started_usec >= aimd->shrunk_usec)
		shrink(aimd, (double)(aimd_limit(aimd) / 2), in_flight, now_usec);
}
