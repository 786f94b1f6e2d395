#include "cache/recent.h"

#include <string.h>

#define RESETS_MS  (60 * 60 * 1000)
#define RESETS_MAX 2
#define ARRIVAL_MS (10 * 60 * 1000)
#define REMOVAL_MS (60 * 1000)

static bool is_within(int64_t at, int64_t now, int64_t ms)
{
	return at != 0 && now - at < ms;
}

void recent_arrived(struct recent *r, int64_t now, int64_t folder, uint64_t id,
                    const uint8_t body_digest[DIGEST_SIZE])
{
	size_t i = r->next_arrival++ % RECENT_ARRIVALS;
	r->arrivals[i].at = now;
	r->arrivals[i].folder = folder;
	r->arrivals[i].id = id;
	memcpy(r->arrivals[i].body_digest, body_digest, DIGEST_SIZE);
}

static bool is_of(const struct recent_arrival *a, uint64_t id,
                  const uint8_t body_digest[DIGEST_SIZE])
{
	return id != 0 && a->id == id &&
	       memcmp(a->body_digest, body_digest, DIGEST_SIZE) == 0;
}

bool recent_has(const struct recent *r, int64_t now, int64_t folder,
                uint64_t id, const uint8_t body_digest[DIGEST_SIZE])
{
	for (size_t i = 0; i < RECENT_ARRIVALS; i++)
		if (is_within(r->arrivals[i].at, now, ARRIVAL_MS) &&
		    r->arrivals[i].folder != folder &&
		    is_of(&r->arrivals[i], id, body_digest))
			return true;
	return false;
}

void recent_left(struct recent *r, int64_t folder, uint64_t id,
                 const uint8_t body_digest[DIGEST_SIZE])
{
	for (size_t i = 0; i < RECENT_ARRIVALS; i++)
		if (r->arrivals[i].folder == folder &&
		    is_of(&r->arrivals[i], id, body_digest))
			r->arrivals[i].at = 0;
}

bool recent_has_any(const struct recent *r, int64_t now)
{
	for (size_t i = 0; i < RECENT_ARRIVALS; i++)
		if (is_within(r->arrivals[i].at, now, ARRIVAL_MS))
			return true;
	return false;
}

void recent_removed(struct recent *r, int64_t now, int64_t folder,
                    int64_t count)
{
	size_t i = r->next_removal++ % RECENT_REMOVALS;
	r->removals[i].at = now;
	r->removals[i].folder = folder;
	r->removals[i].count = count;
}

int64_t recent_removals(const struct recent *r, int64_t now, int64_t folder)
{
	int64_t count = 0;
	for (size_t i = 0; i < RECENT_REMOVALS; i++)
		if (is_within(r->removals[i].at, now, REMOVAL_MS) &&
		    r->removals[i].folder == folder)
			count += r->removals[i].count;
	return count;
}

bool recent_reset(struct recent *r, int64_t now, int64_t folder,
                  bool *is_new_out)
{
	int count = 0;
	bool was_told = false;
	for (size_t i = 0; i < RECENT_RESETS; i++) {
		if (r->resets[i].folder != folder ||
		    !is_within(r->resets[i].at, now, RESETS_MS))
			continue;
		was_told |= r->resets[i].is_told;
		r->resets[i].is_told |= ++count == RESETS_MAX;
	}
	*is_new_out = !was_told;
	if (count >= RESETS_MAX)
		return false;
	r->resets[r->next_reset].at = now;
	r->resets[r->next_reset].folder = folder;
	r->resets[r->next_reset].is_told = false;
	r->next_reset = (r->next_reset + 1) % RECENT_RESETS;
	return true;
}
