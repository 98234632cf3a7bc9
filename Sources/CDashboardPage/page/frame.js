// Work spread over frames: what a tick asks for is drawn in pieces, so that no frame is held up.

/** How much of a frame, in milliseconds, drawing may take before the rest waits for the next one. */
const BUDGET = 6;

const jobs = new Map();
let requested = 0;

/**
 * Runs `job` in one of the next frames. A job with the same key that has not run yet is replaced and keeps its place,
 * so that a slow page draws less often, and never what is old.
 */
export function nextFrame(key, job) {
    jobs.set(key, job);
    if (requested === 0) requested = requestAnimationFrame(run);
}

/** Forgets the job of `key`. */
export function forget(key) {
    jobs.delete(key);
}

function run() {
    requested = 0;
    const begun = performance.now();
    for (const [key, job] of jobs) {
        jobs.delete(key);
        try {
            job();
        } catch (error) {
            // Said as what nobody caught, and the other jobs go on.
            queueMicrotask(() => {
                throw error;
            });
        }
        if (performance.now() - begun > BUDGET) break;
    }
    if (jobs.size > 0 && requested === 0) requested = requestAnimationFrame(run);
}
