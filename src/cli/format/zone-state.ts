import type {ZoneState} from '../../page-store/zone.ts';
import type {Colors} from '../terminal.ts';
import {formatBytes} from './quantity.ts';

/** How a zone fares, for people. */
export function zoneText(zone: ZoneState, colors?: Colors): string {
  const paint = (color: 'green' | 'red' | 'yellow', text: string): string =>
    colors === undefined ? text : colors[color](text);
  switch (zone.state) {
    case 'healthy':
      return paint('green', 'healthy');
    case 'degraded':
      return `${paint('red', 'degraded')}: ${zone.reason}`;
    case 'catching-up': {
      const {bytesDone, bytesTotal} = zone;
      const percent = bytesTotal === 0 ? 0 : Math.floor((100 * bytesDone) / bytesTotal);
      const what = `${percent} %, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;
      return `${paint('yellow', 'catching up')}: ${what}`;
    }
  }
}
