/* Runs libgearman's worker; after JOBS jobs it prints the measurement and ends: worker PORT [JOBS] */

#include "bench.h"

static long jobs, done;

static void *echo(gearman_job_st *job, void *context, size_t *size, gearman_return_t *status) {
  (void)context;
  if (done++ == 0) start();
  if (done == jobs) report(jobs);
  *size = gearman_job_workload_size(job);
  *status = GEARMAN_SUCCESS;
  void *result = malloc(*size);
  memcpy(result, gearman_job_workload(job), *size);
  return result;
}

int main(int argc, char **argv) {
  gearman_worker_st *worker = gearman_worker_create(NULL);
  gearman_worker_add_server(worker, "127.0.0.1", atoi(argv[1]));
  jobs = argc > 2 ? atol(argv[2]) : -1;
  must(gearman_worker_add_function(worker, "echo", 0, echo, NULL), "cannot add the function");
  while (done != jobs) must(gearman_worker_work(worker), gearman_worker_error(worker));
  gearman_worker_free(worker);
}
