/** What gearmand 2.0.0 answered to the scripts to which it does not answer as 1.1.20 does. Recorded once: Debian has no 2.0.0. */
export const transcripts20: Readonly<Record<string, readonly string[]>> = {
  "the unique of one function is not that of another": [
    "2 c: [JOB_CREATED H:1][JOB_CREATED H:2][JOB_CREATED H:3][JOB_CREATED H:4]",
    "3 w: [JOB_ASSIGN_UNIQ H:2|g|u|2][JOB_ASSIGN_UNIQ H:1|f|u|1][JOB_ASSIGN_UNIQ H:4|g|-|3][JOB_ASSIGN_UNIQ H:3|f|-|3][NO_JOB]",
  ],
  "priorities, first in first out in each, and the newest function first": [
    "2 c: [JOB_CREATED H:1][JOB_CREATED H:2][JOB_CREATED H:3][JOB_CREATED H:4]",
    "3 c: [JOB_CREATED H:5][JOB_CREATED H:6][JOB_CREATED H:7]",
    "4 c: f\\t2\\t2\\t2\\t1\\ng\\t0\\t0\\t1\\t1\\n.\\nf\\t6\\t0\\t1\\ng\\t1\\t0\\t1\\n.\\n",
    "5 w: [JOB_ASSIGN H:5|f|][JOB_ASSIGN H:6|f|]f\\t0\\t2\\t2\\t1\\ng\\t0\\t0\\t1\\t1\\n.\\nf\\t6\\t2\\t1\\ng\\t1\\t0\\t1\\n.\\n[JOB_ASSIGN H:3|f|][JOB_ASSIGN H:4|f|][JOB_ASSIGN H:7|g|][JOB_ASSIGN H:1|f|][JOB_ASSIGN H:2|f|][NO_JOB]",
    "6 c: f\\t0\\t0\\t0\\t1\\ng\\t0\\t0\\t0\\t1\\n.\\nf\\t6\\t6\\t1\\ng\\t1\\t1\\t1\\n.\\n",
  ],
  "CANT_DO and RESET_ABILITIES give running jobs back": [
    "1 w: FD IP - :\\nFD IP - : f g f\\n.\\nf\\t0\\t0\\t2\\ng\\t0\\t0\\t1\\n.\\n",
    "3 c: [JOB_CREATED H:1][JOB_CREATED H:2][JOB_CREATED H:3]",
    "3 v: [NOOP]",
    "4 w: [JOB_ASSIGN H:1|f|][JOB_ASSIGN H:2|g|][JOB_ASSIGN H:3|f|][ERROR JOB_NOT_FOUND|Job given in work result not found]FD IP - :\\nFD IP - :\\nFD IP - : g\\nFD IP - : g f\\n.\\nf\\t2\\t0\\t1\\ng\\t1\\t1\\t2\\n.\\n",
    "5 v: [JOB_ASSIGN H:1|f|][JOB_ASSIGN H:3|f|][NO_JOB]",
    "6 w: [ERROR JOB_NOT_FOUND|Job given in work result not found][NO_JOB]FD IP - :\\nFD IP - :\\nFD IP - :\\nFD IP - : g f\\n.\\nf\\t2\\t2\\t1\\ng\\t1\\t0\\t1\\n.\\nH:1\\t1\\t0\\t0\\nH:2\\t1\\t0\\t0\\nH:3\\t1\\t0\\t0\\n.\\n",
    "7 v: [JOB_ASSIGN H:2|g|]",
  ],
  "the time limit of CAN_DO_TIMEOUT, when the worker grabs another job": [
    "1 c: [JOB_CREATED H:1][JOB_CREATED H:2][JOB_CREATED H:3]",
    "2 w: [JOB_ASSIGN H:1|f|][JOB_ASSIGN H:2|f|]",
    "3 v: [JOB_ASSIGN H:3|g|]",
    "4 c: H:1\\t0\\t0\\t1\\nH:2\\t1\\t0\\t1\\nH:3\\t1\\t0\\t1\\n.\\n",
  ],
  "an epoch job that waits": [
    "1 c: [JOB_CREATED H:1][JOB_CREATED H:2]",
    "2 w: [JOB_ASSIGN H:2|f|]",
  ],
  "an epoch job that waits, with round robin": [
    "1 c: [JOB_CREATED H:1][JOB_CREATED H:2]",
    "2 w: [JOB_ASSIGN H:2|g|]",
  ],
};
