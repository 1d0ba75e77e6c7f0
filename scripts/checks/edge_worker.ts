/** The Worker that `scripts/checks/edge.ts` runs in workerd. Each path is a case of that check. */

import { type ConnectionError, type Dial, type Duplex, fromStreams, GearmanClient } from "@gearwire/gearman";

/** The environment of the Worker. */
export interface Env {
  /** The job server under test. */
  readonly GEARMAN: string;
  /** An address that nothing listens on. */
  readonly REFUSING: string;
}

/** The type of `connect` in `cloudflare:sockets`, which only modules of workerd can import. */
export type Connect = (server: { hostname: string; port: number }) => Duplex;

type Handler = (url: URL, env: Env) => Promise<Response>;

/** Makes the Worker. */
export function makeWorker(connect: Connect): { fetch(request: Request, env: Env): Promise<Response> } {
  const dial: Dial = (server) => fromStreams(connect(server));
  /** A client that outlives its request, which a Worker should not have. */
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
      // The request ends once a worker has the job, without waiting for the job or closing the client.
      const events = new GearmanClient({ servers: GEARMAN, dial }).do("held", "leave")[Symbol.asyncIterator]();
      let event = await events.next();
      while (event.value?.type !== "status") event = await events.next();
      return new Response("left");
    },
    "/kept": async (_url, { GEARMAN }) => {
      kept ??= new GearmanClient({ servers: GEARMAN, dial });
      const client = kept;
      return Response.json([await outcome(client.do("upper", "one").text()), await client.do("upper", "two").text()]);
    },
    "/kept-echo": async (_url, { GEARMAN }) => {
      kept ??= new GearmanClient({ servers: GEARMAN, dial });
      return new Response(await kept.echo("repeated"));
    },
  };

  return {
    fetch(request, env) {
      const url = new URL(request.url);
      return handlers[url.pathname]!(url, env);
    },
  };
}

/** Resolves to the result of the work, or to the fields of its error. */
async function outcome(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    const { name, message, delivery } = error as ConnectionError;
    return { name, message, delivery };
  }
}
