// Follows Countersign's list of revocations, so that tokens end within about a second: copy it beside your server.
import { setTimeout as pause } from 'node:timers/promises';

type Item = Record<string, unknown> & { not_before?: number };
type Ended = { before: number; heard: number };

const claimNames = ['jti', 'sub', 'teamspace_id', 'identity_provider_id', 'client_id']; // an item names one of them
const kept = 65 * 60_000; // after which every token that an item concerns has expired

/** Which tokens are over. */
export class Revocations {
    private readonly ended = new Map<string, Ended>(); // tokens issued before a time are over, and when we heard of it
    private current = -Infinity; // when all of the list was known; nothing is, at the start
    private readonly patience = Number(process.env.MAX_STALENESS ?? 30);

    /** Follows the list with the credentials in the environment; without any, there is nothing to follow. */
    static follow(issuer: string): Revocations | undefined {
        const { RESOURCE_CREDENTIAL_ID: id, RESOURCE_CREDENTIAL_SECRET: secret } = process.env;
        if (id === undefined) return undefined;
        const revocations = new Revocations();
        void revocations.run(`${issuer}/oauth2/revocations`, `Basic ${btoa(`${id}:${secret}`)}`);
        return revocations;
    }

    /** Whether a verified token is over; throws while nobody knows, which is not the token's fault. */
    areOver(claims: Record<string, unknown> & { iat?: number }): boolean {
        const isKnown = performance.now() - this.current <= this.patience * 1000;
        if (!isKnown) throw new Error('nobody knows at present which tokens are over');
        const keys = ['all', ...claimNames.map((name) => `${name} ${claims[name]}`)];
        return keys.some((key) => (claims.iat ?? 0) < (this.ended.get(key)?.before ?? -Infinity));
    }

    private async run(url: string, authorization: string): Promise<never> {
        const wait = Math.min(Math.max(Math.floor(this.patience / 3), 1), 25);
        const query = new URLSearchParams({ wait: `${wait}` });
        for (;;) {
            try {
                const signal = AbortSignal.timeout((wait + 5) * 1000);
                const response = await fetch(`${url}?${query}`, { headers: { authorization }, redirect: 'error', signal });
                if (!response.ok) throw new Error(`the status is ${response.status}`);
                const answer = (await response.json()) as { cursor: string; items: Item[]; more?: boolean };
                this.add(answer.items);
                query.set('since', answer.cursor);
                if (!answer.more) this.current = performance.now();
            } catch (error) {
                console.warn('the revocations cannot be read:', error); // so nothing is known until there is an answer
                await pause(1000);
            }
        }
    }

    private add(items: Item[]): void {
        const now = performance.now();
        for (const [key, { heard }] of this.ended) if (now - heard > kept) this.ended.delete(key);
        for (const item of items) {
            // An item that names none of the claims is for all tokens, as is one of a kind that came later.
            const name = claimNames.find((name) => name in item);
            const key = name === undefined ? 'all' : `${name} ${item[name]}`;
            const before = item.not_before ?? Infinity; // a single token is over whenever it was issued
            this.ended.set(key, { before: Math.max(before, this.ended.get(key)?.before ?? 0), heard: now });
        }
    }
}
