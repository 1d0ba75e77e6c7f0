/** The Worker that `scripts/checks/edge.ts` has workerd run: one path for each thing that is tried on an edge. */

import { type ConnectionError, type Dial, type Duplex, fromStreams, GearmanClient } from "@gearwire/gearman";

/** What is in the Worker's environment. */
export interface Env {
  /** The job server under test. */
  readonly GEARMAN: string;
  /** A port that nothing listens on. */
  readonly REFUSING: string;
}

/** `connect` of `cloudflare:sockets`, which only a module of workerd can import. */
export type Connect = (server: { hostname: string; port: number }) => Duplex;

type Handler = (url: URL, env: Env) => Promise<Response>;

/** Makes the Worker. */
export function makeWorker(connect: Connect): { fetch(request: Request, env: Env): Promise<Response> } {
  const dial: Dial = (server) => fromStreams(connect(server));
  /** What a Worker should not do: a client that outlives its request. */
  let kept: GearmanClient | undefined;

  const handlers: Record<string, Handler> = {
    "/background": async (_url, { GEARMAN }) => {
      await using client = new GearmanClient({ servers: GEARMAN, dial });
      return new Response(String(await client.doBackground("held", "x")));
    },
    "/status": async (url, { GEARMAN }) => {
      await using client = new GearmanClient({ servers: GEARMAN, dial });
      return Response.json(await client.jobStatus(url.searchParams.get("job")!));
    },
    "/refused": async (_url, { REFUSING }) => {
      await using client = new GearmanClient({ servers: REFUSING, dial });
      return Response.json(await outcome(client.doBackground("held", "x")));
    },
    "/failover": async (_url, { GEARMAN, REFUSING }) => {
      await using client = new GearmanClient({ servers: [REFUSING, GEARMAN], dial });
      return new Response(await client.do("upper", "abc").text());
    },
    "/several": async (_url, { GEARMAN }) => {
      const results = await Promise.all(["a", "b", "c", "d", "e"].map(async (letter) => {
        await using client = new GearmanClient({ servers: GEARMAN, dial });
        return await client.do("upper", letter).text();
      }));
      return Response.json(results);
    },
    "/leave": async (_url, { GEARMAN }) => {
      // Nobody waits for the job, and nobody closes the client: the request just ends, once a worker has the job.
      const events = new GearmanClient({ servers: GEARMAN, dial }).do("held", "leave")[Symbol.asyncIterator]();
      while ((await events.next()).value?.type !== "status");
      return new Response("left");
    },
    "/kept": async (_url, { GEARMAN }) => {
      kept ??= new GearmanClient({ servers: GEARMAN, dial });
      const client = kept;
      return Response.json([await outcome(client.do("upper", "one").text()), await client.do("upper", "two").text()]);
    },
    "/kept-question": async (_url, { GEARMAN }) => {
      kept ??= new GearmanClient({ servers: GEARMAN, dial });
      return new Response(await kept.echo("asked once more"));
    },
  };

  return {
    fetch(request, env) {
      const url = new URL(request.url);
      return handlers[url.pathname]!(url, env);
    },
  };
}

/** A result, or what is known of the error. */
async function outcome(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    const { name, message, delivery } = error as ConnectionError;
    return { name, message, delivery };
  }
}
