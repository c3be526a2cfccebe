import Hls, { type HlsConfig, type LoaderCallbacks, type LoaderContext } from 'hls.js';

import { steeringText } from '../pathways.ts';

/**
 * The loader of hls.js, which also says when steering fails: hls.js has no event for that. A reply that is no steering
 * manifest, and a 429, end steering for good in hls.js 1.7; here both are a failure, tried again after the TTL.
 */
export function steeringLoader(tell: (text: string) => void): HlsConfig['loader'] {
  return class SteeringLoader extends Hls.DefaultConfig.loader {
    override load(
      ...[context, config, callbacks]: Parameters<InstanceType<HlsConfig['loader']>['load']>
    ): void {
      // As a value hls.js does not export LoaderContextType.
      const isSteering = (context.type as string) === 'steering-manifest';
      super.load(context, config, isSteering ? watched(callbacks, tell) : callbacks);
    }
  };
}

function watched(
  callbacks: LoaderCallbacks<LoaderContext>,
  tell: (text: string) => void,
): LoaderCallbacks<LoaderContext> {
  const { onSuccess, onError, onTimeout } = callbacks;
  return {
    ...callbacks,
    onSuccess: (...[response, stats, context, details]) => {
      if (steeringText(response.data) !== undefined) {
        onSuccess(response, stats, context, details);
        return;
      }
      tell('steering answered something that is no steering manifest');
      onError({ code: 500, text: 'no steering manifest' }, context, details, stats);
    },
    onError: (...[error, context, details, stats]) => {
      const { code } = error;
      if (code === 410) tell('steering has ended for this playback (410)');
      else tell(`steering failed: ${code === 0 ? 'no connection' : `status ${code}`}`);
      onError(code === 429 ? { ...error, code: 503 } : error, context, details, stats);
    },
    onTimeout: (...[stats, context, details]) => {
      tell('steering failed: no answer in time');
      onTimeout(stats, context, details);
    },
  };
}
