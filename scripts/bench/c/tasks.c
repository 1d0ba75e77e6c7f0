/* Measures libgearman's run_tasks, 100 foreground jobs at a time, after BEFORE jobs that are not counted:
   tasks PORT JOBS [BEFORE] */

#include "bench.h"

static gearman_return_t complete(gearman_task_st *task) {
  ++*(long *)gearman_task_context(task);
  return GEARMAN_SUCCESS;
}

static void run(gearman_client_st *client, long jobs) {
  long done = 0;
  gearman_return_t status;
  for (long i = 0; i < jobs; i += 100) {
    for (int j = 0; j < 100; j++) {
      gearman_client_add_task(client, NULL, &done, "echo", NULL, WORKLOAD, WORKLOAD_SIZE, &status);
      must(status, gearman_client_error(client));
    }
    must(gearman_client_run_tasks(client), gearman_client_error(client));
  }
  must(done == jobs ? GEARMAN_SUCCESS : GEARMAN_WORK_FAIL, "jobs are missing");
}

int main(int argc, char **argv) {
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", atoi(argv[1]));
  gearman_client_add_options(client, GEARMAN_CLIENT_FREE_TASKS);
  gearman_client_set_complete_fn(client, complete);
  long jobs = atol(argv[2]);
  gearman_return_t status;
  size_t size;
  free(gearman_client_do(client, "echo", NULL, "x", 1, &size, &status)); /* waits for the worker */
  must(status, gearman_client_error(client));
  run(client, argc > 3 ? atol(argv[3]) : 0);
  start();
  run(client, jobs);
  report(jobs);
  gearman_client_free(client);
}
