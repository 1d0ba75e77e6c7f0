/* Measures libgearman's do_background, one job after the other: background PORT JOBS [unique] */

#include "bench.h"

int main(int argc, char **argv) {
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", atoi(argv[1]));
  long jobs = atol(argv[2]);
  must(gearman_client_echo(client, "x", 1), "cannot connect");
  start();
  for (long i = 0; i < jobs; i++) {
    char unique[32], handle[GEARMAN_JOB_HANDLE_SIZE];
    snprintf(unique, sizeof unique, "u%ld", i);
    must(gearman_client_do_background(client, "bench", argc > 3 ? unique : NULL, WORKLOAD, WORKLOAD_SIZE, handle),
         gearman_client_error(client));
  }
  report(jobs);
  gearman_client_free(client);
}
